import { CommandRegistry } from '@lumino/commands';
import { describe, expect, it } from 'vitest';

import { ApiError } from '../src/api';
import { addCommands } from '../src/plugins/command_set';
import { CommandIDs } from '../src/tokens';
import type { IRunRequest } from '../src/types';
import { fakeApi, fakeHost, fakeNotebook, fakePanel, planOf, trans } from './support/fakes';

describe('the commands', () => {
  function commanding(more: Parameters<typeof fakeApi>[0] = {}) {
    const commands = new CommandRegistry();
    const host = fakeHost();
    const notebook = fakeNotebook(['A = 1']);
    const model = fakePanel(fakeApi(more), notebook.link, host);
    const shown: (string | undefined)[] = [];
    addCommands(commands, { model, show: section => shown.push(section) }, trans);
    return { ...notebook, commands, host, shown, panelModel: model };
  }

  it('have labels, and those for a notebook are off where none is open', () => {
    const { commands, tracker } = commanding();
    const on = () => Object.values(CommandIDs).filter(id => commands.isEnabled(id));
    expect(Object.values(CommandIDs).every(id => commands.label(id) && commands.caption(id))).toBe(
      true
    );
    expect(on()).toHaveLength(5);
    tracker.currentWidget = null;
    expect(on()).toEqual([CommandIDs.show, CommandIDs.check, CommandIDs.showRun]);
  });

  it('fill the notebook, and say so', async () => {
    const { commands, shared, host } = commanding({
      fillPlan: async () => planOf('A = 1', 'A = 2')
    });
    expect(await commands.execute(CommandIDs.fill)).toBe('applied');
    expect(shared.getCell(0).getSource()).toBe('A = 2');
    expect(host.messages).toEqual(['Parameters cell filled. Use Undo to revert it.']);
  });

  it('show why a fill was rejected', async () => {
    const { commands, host, shown } = commanding({
      fillPlan: async () => {
        throw new ApiError(422, 'invalid', 'No such region.', 'Write northeurope.');
      }
    });
    await commands.execute(CommandIDs.fill);
    expect(host.messages).toEqual(['No such region. Write northeurope.']);
    expect(shown).toEqual(['settings']);
  });

  it('save the notebook before it is run', async () => {
    const asked: (IRunRequest & { readonly wasDirty: boolean })[] = [];
    const { commands, model, host } = commanding({
      startRun: async request => {
        asked.push({ ...request, wasDirty: model.dirty });
        throw new ApiError(409, 'busy', 'It is full.', 'Wait.');
      }
    });
    model.dirty = true;
    await commands.execute(CommandIDs.runNotebook);
    expect(asked).toMatchObject([{ notebook: 'work/train.ipynb', wasDirty: false }]);
    expect(host.messages).toEqual(['It is full. Wait.']);
  });

  it('pass a section over that does not exist', async () => {
    const { commands, shown } = commanding();
    await commands.execute(CommandIDs.show, { section: 'nonsense' });
    await commands.execute(CommandIDs.show, { section: 'runs' });
    expect(shown).toEqual([undefined, 'runs']);
  });
});
