import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ApiError } from '../src/api';
import { SettingsModel } from '../src/models/settings';
import type { IFillPlan, IResolved, ISources, Values } from '../src/types';
import { deferred, fakeApi, fakeNotebook, NO_PLAN, planOf, resolvedOf } from './support/fakes';

const WRONG = {
  field: 'azure_region',
  message: 'No such region.',
  hint: '',
  suggestion: 'northeurope'
};

describe('the settings model', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('sends only what was typed as explicit', async () => {
    const asked: ISources[] = [];
    const api = fakeApi({
      resolve: async sources => {
        asked.push(sources);
        return resolvedOf(sources);
      }
    });
    const model = new SettingsModel(api, fakeNotebook(['A = 1']).link);
    model.set('parallelism', 8);
    await vi.advanceTimersByTimeAsync(300);
    expect(asked.map(each => each.values)).toEqual([{ parallelism: 8 }]);
    expect(model.value('parallelism')).toBe(8);
    expect(model.value('backend')).toBe('LocalBackend');
    expect(model.source('parallelism')?.source).toBe('argument');
  });

  it('waits until the form rests, and asks once', async () => {
    let count = 0;
    const api = fakeApi({
      resolve: async sources => {
        count += 1;
        return resolvedOf(sources);
      }
    });
    const model = new SettingsModel(api, fakeNotebook(['A = 1']).link);
    for (const text of ['n', 'no', 'nor']) {
      model.set('azure_region', text);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(count).toBe(0);
    await vi.advanceTimersByTimeAsync(200);
    expect(count).toBe(1);
  });

  it('drops an answer that was asked for before the last change', async () => {
    const first = deferred<IResolved>();
    const answers = [first.promise];
    const api = fakeApi({
      resolve: sources => answers.shift() ?? Promise.resolve(resolvedOf(sources))
    });
    const model = new SettingsModel(api, fakeNotebook(['A = 1']).link);
    model.set('azure_region', 'nowhere');
    await vi.advanceTimersByTimeAsync(300);
    model.set('azure_region', 'northeurope');
    await vi.advanceTimersByTimeAsync(300);
    first.resolve(resolvedOf({ notebook: null, profile: null, values: {} }, [WRONG]));
    await vi.advanceTimersByTimeAsync(0);
    expect(model.errorOf('azure_region')).toBeNull();
    expect(model.resolved?.values['azure_region']).toBe('northeurope');
  });

  it('goes back to the next source when what was typed is taken back', async () => {
    const model = new SettingsModel(fakeApi(), fakeNotebook(['A = 1']).link);
    model.set('parallelism', 8);
    model.reset('parallelism');
    await vi.advanceTimersByTimeAsync(300);
    expect(model.sources().values).toEqual({});
    expect(model.value('parallelism')).toBe(4);
  });

  it('keeps what was typed with its notebook', () => {
    const { link, tracker, panel } = fakeNotebook(['A = 1']);
    const model = new SettingsModel(fakeApi(), link);
    model.set('parallelism', 8);
    tracker.currentWidget = null;
    expect(model.sources().values).toEqual({});
    tracker.currentWidget = panel;
    expect(model.sources().values).toEqual({ parallelism: 8 });
  });

  it('asks nothing of the server while nobody sees the panel, and makes up for it', async () => {
    let count = 0;
    const api = fakeApi({
      resolve: async sources => {
        count += 1;
        return resolvedOf(sources);
      }
    });
    const model = new SettingsModel(api, fakeNotebook(['A = 1']).link);
    model.isActive = false;
    model.set('parallelism', 8);
    await vi.advanceTimersByTimeAsync(1000);
    expect(count).toBe(0);
    model.isActive = true;
    await vi.advanceTimersByTimeAsync(300);
    expect(count).toBe(1);
  });

  it('shows errors of the server, and recovers', async () => {
    let isBroken = true;
    const api = fakeApi({
      resolve: async sources => {
        if (isBroken) {
          throw new ApiError(503, 'down', 'The cluster does not answer.', 'Try again.');
        }
        return resolvedOf(sources);
      }
    });
    const model = new SettingsModel(api, fakeNotebook(['A = 1']).link);
    await model.update();
    expect(model.error?.message).toBe('The cluster does not answer.');
    isBroken = false;
    await model.update();
    expect(model.error).toBeNull();
    expect(model.resolved).not.toBeNull();
  });

  it('saves into a profile what somebody has chosen, not the defaults', async () => {
    const model = new SettingsModel(fakeApi(), fakeNotebook(['A = 1']).link);
    model.set('azure_region', null);
    await model.update();
    expect(await model.profileValues()).toEqual({ azure_region: null });
  });
});

describe('a fill', () => {
  function filling(plan: () => IFillPlan) {
    const notebook = fakeNotebook(['A = 1', 'other']);
    const model = new SettingsModel(fakeApi({ fillPlan: async () => plan() }), notebook.link);
    return { ...notebook, model };
  }

  it('changes the cell as the plan has shown it', async () => {
    const { model, shared } = filling(() => planOf('A = 1', 'A = 2'));
    await model.update();
    expect(await model.apply(true)).toBe('applied');
    expect(shared.getCell(0).getSource()).toBe('A = 2');
    expect(model.fill.undoPlace).toBe('cell');
  });

  it('applies nothing that was not shown: a notebook that has changed gets a new plan first', async () => {
    const { model, shared } = filling(() => {
      const now = shared.getCell(0).getSource();
      return planOf(now, `${now} # filled`);
    });
    await model.update();
    shared.getCell(0).setSource('A = 5');
    expect(await model.apply(true)).toBe('changed-meanwhile');
    expect(shared.getCell(0).getSource()).toBe('A = 5');
    expect(model.fill.plan?.edits[0]?.after).toBe('A = 5 # filled');
    expect(await model.apply(true)).toBe('applied');
    expect(shared.getCell(0).getSource()).toBe('A = 5 # filled');
  });

  it('continues if a change in another place leaves the plan as it was', async () => {
    const { model, shared } = filling(() => planOf('A = 1', 'A = 2'));
    await model.update();
    shared.getCell(1).setSource('something else');
    expect(await model.apply(true)).toBe('applied');
    expect(shared.getCell(0).getSource()).toBe('A = 2');
  });

  it('does not apply the plan of one notebook to another', async () => {
    const { model, tracker, shared } = filling(() => planOf('A = 1', 'A = 2'));
    await model.update();
    const other = fakeNotebook(['A = 1']);
    other.panel.id = 'notebook-2';
    tracker.currentWidget = other.panel;
    tracker.currentChanged.emit(null);
    expect(model.fill.plan).toBeNull();
    expect(shared.getCell(0).getSource()).toBe('A = 1');
  });

  it('ends with nothing where there is nothing to change or to fill in', async () => {
    const same = filling(() => NO_PLAN);
    expect(await same.model.apply()).toBe('nothing');
    const empty = filling(() => {
      throw new ApiError(400, 'nothing-to-fill', 'There is nothing to fill in.', '');
    });
    expect(await empty.model.apply()).toBe('nothing');
  });

  it('says that no notebook is open, or that it can only be read', async () => {
    const { model, tracker, model: _m, ...rest } = filling(() => planOf('A = 1', 'A = 2'));
    rest.panel.context.model.readOnly = true;
    expect(await model.apply()).toBe('read-only');
    tracker.currentWidget = null;
    expect(await model.apply()).toBe('no-notebook');
  });

  it('forgets that it was applied once undo has taken it back', async () => {
    const { model, shared } = filling(() =>
      shared.getCell(0).getSource() === 'A = 1' ? planOf('A = 1', 'A = 2') : NO_PLAN
    );
    await model.update();
    await model.apply(true);
    await model.update();
    expect(model.fill.outcome).toBe('applied');
    shared.getCell(0).undo();
    await model.update();
    expect(model.fill.outcome).toBeNull();
    expect(model.fill.plan?.changed).toBe(true);
  });
});

describe('the profiles', () => {
  it('are read again after a change, and the new one is chosen', async () => {
    const kept = new Map<string, Values>();
    const api = fakeApi({
      profiles: async () => ({
        active: null,
        profiles: [...kept].map(([name, values]) => ({ name, values, problem: null }))
      }),
      saveProfile: async (name, values) => {
        kept.set(name, values);
        return { name, values };
      },
      deleteProfile: async name => void kept.delete(name)
    });
    const model = new SettingsModel(api, fakeNotebook(['A = 1']).link);
    expect(await model.profiles.save('team-a', { parallelism: 2 })).toBe(true);
    expect(model.profiles.all.map(each => each.name)).toEqual(['team-a']);
    expect(model.sources().profile).toBe('team-a');
    await model.profiles.remove('team-a');
    expect(model.sources().profile).toBeNull();
  });

  it('say why a name was rejected', async () => {
    const api = fakeApi({
      saveProfile: async () => {
        throw new ApiError(400, 'bad-name', 'No such name.', 'Use letters.');
      }
    });
    const model = new SettingsModel(api, fakeNotebook(['A = 1']).link);
    expect(await model.profiles.save('a b', {})).toBe(false);
    expect(model.profiles.error?.hint).toBe('Use letters.');
  });
});
