/** Edits of a notebook's shared model that one undo takes back. */
import type { INotebookModel } from '@jupyterlab/notebook';

import type { ICellEdit, IFillPlan } from '../types';

/** A notebook as all who edit it share it. */
export type SharedNotebook = INotebookModel['sharedModel'];

type SharedCell = SharedNotebook['cells'][number];

/** Where an applied plan is taken back: by undo in the cell, or by undo of the whole notebook. */
export type UndoPlace = 'cell' | 'notebook';

/** The smallest replacement that makes one text of another: start, end, and what goes there. */
export function difference(before: string, after: string): [number, number, string] {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) {
    start += 1;
  }
  // Yjs replaces both halves of a character outside the basic plane by U+FFFD where an edit cuts it.
  if (start > 0 && isHigh(before, start - 1)) {
    start -= 1;
  }
  let tail = 0;
  while (
    tail < most - start &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  ) {
    tail += 1;
  }
  if (tail > 0 && isLow(before, before.length - tail)) {
    tail -= 1;
  }
  return [start, before.length - tail, after.slice(start, after.length - tail)];
}

/**
 * Apply a plan to a shared notebook, as one step of its undo history.
 *
 * @param shared - The notebook.
 * @param plan - What to change.
 * @returns Where undo takes it back; null if a cell is not any more as the plan has seen it, and nothing was changed.
 */
export function applyPlan(shared: SharedNotebook, plan: IFillPlan): UndoPlace | null {
  const created = plan.edits.filter(edit => edit.created);
  const changed = plan.edits.filter(edit => !edit.created);
  const cells = changed.map(edit => {
    const earlier = created.filter(other => other.cell_index <= edit.cell_index).length;
    return shared.cells[edit.cell_index - earlier];
  });
  const fits = changed.every((edit, index) => isAsPlanned(cells[index], edit));
  const last = shared.cells.length + created.length - 1;
  if (!fits || created.some(edit => edit.cell_index < 0 || edit.cell_index > last)) {
    return null;
  }
  const [only] = cells;
  const [edit] = changed;
  if (only && edit && plan.edits.length === 1) {
    // Not in a transaction of the notebook: where each cell has its own history, that would pass the cell's by.
    separately(only, () => replace(only, edit));
    return shared.disableDocumentWideUndoRedo ? 'cell' : 'notebook';
  }
  separately(shared, () => {
    shared.transact(() => {
      changed.forEach((each, index) => {
        const cell = cells[index];
        if (cell) {
          replace(cell, each);
        }
      });
      for (const each of [...created].sort((a, b) => a.cell_index - b.cell_index)) {
        shared.insertCell(each.cell_index, {
          cell_type: 'code',
          source: each.after,
          metadata: { tags: ['parameters'] },
          ...(each.cell_id ? { id: each.cell_id } : {})
        });
      }
    });
  });
  return 'notebook';
}

function isAsPlanned(cell: SharedCell | undefined, edit: ICellEdit): boolean {
  return (
    cell !== undefined &&
    cell.getSource() === edit.before &&
    (edit.cell_id === null || cell.getId() === edit.cell_id)
  );
}

function replace(cell: SharedCell, edit: ICellEdit): void {
  cell.updateSource(...difference(edit.before, edit.after));
}

/** Keep what the user typed just before and after out of the step that `change` makes. */
function separately(owner: SharedCell | SharedNotebook, change: () => void): void {
  const history = (owner as { undoManager?: { stopCapturing?: () => void } | null }).undoManager;
  history?.stopCapturing?.();
  change();
  history?.stopCapturing?.();
}

function isHigh(text: string, index: number): boolean {
  return /[\uD800-\uDBFF]/.test(text[index] ?? '');
}

function isLow(text: string, index: number): boolean {
  return /[\uDC00-\uDFFF]/.test(text[index] ?? '');
}
