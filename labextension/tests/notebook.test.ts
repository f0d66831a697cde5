import { describe, expect, it } from 'vitest';

import { applyPlan, difference } from '../src/models/edits';
import { fakeNotebook, NO_PLAN, planOf } from './support/fakes';

function sourcesOf(shared: { cells: readonly { getSource(): string }[] }): string[] {
  return shared.cells.map(cell => cell.getSource());
}

describe('difference', () => {
  it.each([
    ['', ''],
    ['a', ''],
    ['', 'a'],
    ['aaa', 'aa'],
    ['aa', 'aaa'],
    ["X = 'a'\r\nY = 1", "X = 'b'\r\nY = 1"],
    ['x😀y', 'x😁y'],
    ['😀', '😀😀'],
    ['x😀', 'x𝄀']
  ])('replaces just enough to make %j into %j', (before, after) => {
    const [start, end, text] = difference(before, after);
    expect(before.slice(0, start) + text + before.slice(end)).toBe(after);
  });

  it('never cuts a character in two', () => {
    const [start, end, text] = difference('x😀y', 'x😁y');
    expect([start, end, text]).toEqual([1, 3, '😁']);
  });
});

describe('a plan applied to a shared notebook', () => {
  it('changes the cell, and one undo in that cell restores it exactly', () => {
    const { shared, link } = fakeNotebook(["X = 'a'\r\nY = 1\n", 'print(X)']);
    const cell = shared.getCell(0);
    cell.updateSource(0, 0, '# typed just before\n');
    const before = cell.getSource();
    const plan = planOf(before, before.replace("'a'", "'b'"));
    expect(link.apply(plan)).toBe(true);
    expect(cell.getSource()).toContain("'b'");
    cell.undo();
    expect(cell.getSource()).toBe(before);
  });

  it('keeps an emoji whole when its neighbour changes', () => {
    const { shared, link } = fakeNotebook(['A = "😀"']);
    link.apply(planOf('A = "😀"', 'A = "😁"'));
    expect(sourcesOf(shared)).toEqual(['A = "😁"']);
  });

  it('adds a tagged cell, and one undo of the notebook takes it and all other edits away', () => {
    const { shared } = fakeNotebook(['import x', 'A = 1']);
    const plan = {
      ...NO_PLAN,
      changed: true,
      edits: [
        { cell_index: 1, cell_id: 'parameters', before: '', after: 'A = 2', created: true },
        { cell_index: 2, cell_id: null, before: 'A = 1', after: 'A = 2', created: false }
      ]
    };
    expect(applyPlan(shared, plan)).toBe('notebook');
    expect(sourcesOf(shared)).toEqual(['import x', 'A = 2', 'A = 2']);
    expect(shared.getCell(1).getMetadata('tags')).toEqual(['parameters']);
    expect(shared.getCell(1).getId()).toBe('parameters');
    shared.undo();
    expect(sourcesOf(shared)).toEqual(['import x', 'A = 1']);
  });

  it('is one step where undo counts for the whole notebook', () => {
    const { shared } = fakeNotebook(['A = 1', 'B = 1'], { wide: true });
    expect(applyPlan(shared, planOf('A = 1', 'A = 2'))).toBe('notebook');
    shared.undo();
    expect(sourcesOf(shared)).toEqual(['A = 1', 'B = 1']);
  });

  it('changes nothing if a cell is not any more as the plan has seen it', () => {
    const { shared, link } = fakeNotebook(['A = 1', 'B = 1']);
    const edits = [...planOf('A = 1', 'A = 2').edits, ...planOf('B = 0', 'B = 2', 1).edits];
    expect(link.apply({ ...NO_PLAN, changed: true, edits })).toBe(false);
    expect(sourcesOf(shared)).toEqual(['A = 1', 'B = 1']);
  });

  it('changes nothing in a notebook that can only be read', () => {
    const { shared, link, model } = fakeNotebook(['A = 1']);
    model.readOnly = true;
    expect(link.apply(planOf('A = 1', 'A = 2'))).toBe(false);
    expect(sourcesOf(shared)).toEqual(['A = 1']);
  });

  it('changes nothing if the cell is gone', () => {
    const { link } = fakeNotebook([]);
    expect(link.apply(planOf('A = 1', 'A = 2', 3))).toBe(false);
  });
});

describe('the notebook that the server gets', () => {
  it('has no outputs, and no drive in its path', () => {
    const { shared, panel, link } = fakeNotebook(['A = 1']);
    panel.context.path = 'RTC:work/train.ipynb';
    shared.transact(() => {
      const cell = shared.getCell(0) as unknown as { setOutputs(outputs: unknown[]): void };
      cell.setOutputs([{ output_type: 'stream', name: 'stdout', text: 'much text' }]);
    });
    expect(link.source()?.path).toBe('work/train.ipynb');
    expect(link.source()?.content).toContain('A = 1');
    expect(link.source()?.content).not.toContain('much text');
  });

  it('is null where none is open', () => {
    const { tracker, link } = fakeNotebook(['A = 1']);
    tracker.currentWidget = null;
    expect(link.source()).toBeNull();
    expect(link.apply(planOf('A = 1', 'A = 2'))).toBe(false);
  });
});
