/** The panel's commands, for the palette, the menu, the toolbar and shortcuts. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, IFairingPanel } from '../tokens';
import { addCommands } from './command_set';

/** The commands. */
export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'fairing-az-jupyter:commands',
  description: 'Commands that show, check, fill and run.',
  autoStart: true,
  requires: [IFairingPanel, INotebookTracker],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    panel: IFairingPanel,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('fairing-az-jupyter');
    addCommands(app.commands, panel, trans);
    for (const command of [
      CommandIDs.show,
      CommandIDs.check,
      CommandIDs.fill,
      CommandIDs.runNotebook
    ]) {
      palette?.addItem({ command, category: trans.__('Fairing on Azure') });
    }
    tracker.currentChanged.connect(() => {
      app.commands.notifyCommandChanged(CommandIDs.fill);
      app.commands.notifyCommandChanged(CommandIDs.runNotebook);
    });
  }
};
