/** Makes the panel, its commands, and its places in JupyterLab. */
import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, Dialog, ICommandPalette, Notification, showDialog } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from './api';
import { fairingIcon } from './icon';
import { NotebookLink } from './models/notebook';
import { PanelModel, type IHost } from './models/panel';
import { FairingPanel } from './panel';
import { CommandIDs, IFairingPanel, type Section } from './tokens';

/** The side panel. */
export const panelPlugin: JupyterFrontEndPlugin<IFairingPanel> = {
  id: 'fairing-az-jupyter:plugin',
  description: 'The side panel that fills parameters cells, checks, launches and runs.',
  autoStart: true,
  provides: IFairingPanel,
  requires: [INotebookTracker, IDocumentManager],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    documents: IDocumentManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ): IFairingPanel => {
    const trans = (translator ?? nullTranslator).load('fairing-az-jupyter');
    const host: IHost = {
      open: async path => {
        documents.openOrReveal(path);
        await Promise.resolve();
      },
      confirm: async (title, body, accept) => {
        const buttons = [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.warnButton({ label: accept })
        ];
        return (await showDialog({ title, body, buttons })).button.accept;
      },
      copy: async text => {
        Clipboard.copyToSystem(text);
        await Promise.resolve();
      },
      download: (url, name) => {
        const link = document.createElement('a');
        link.href = url;
        link.download = name;
        link.click();
      },
      notify: (message, kind) => {
        Notification.emit(message, kind, { autoClose: 5000 });
      }
    };
    const model = new PanelModel(new Api(app.serviceManager.serverSettings), new NotebookLink(tracker), host);
    const panel = new FairingPanel(model, trans);
    panel.id = 'fairing-az-jupyter-panel';
    panel.title.icon = fairingIcon;
    panel.title.caption = trans.__('Fairing on Azure');
    app.shell.add(panel, 'right', { rank: 700, type: 'Fairing on Azure' });
    restorer?.add(panel, 'fairing-az-jupyter-panel');

    const show = (section?: Section) => {
      if (section) {
        model.toggle(section, true);
      }
      app.shell.activateById(panel.id);
    };
    app.commands.addCommand(CommandIDs.show, {
      label: trans.__('Fairing on Azure'),
      caption: trans.__('Set up, check, launch and run this notebook on Kubeflow on Azure'),
      icon: fairingIcon,
      describedBy: { args: { type: 'object', properties: { section: { type: 'string' } } } },
      execute: args => show(args['section'] as Section | undefined)
    });
    palette?.addItem({ command: CommandIDs.show, category: trans.__('Fairing on Azure') });
    return { model, show };
  }
};
