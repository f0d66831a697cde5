/** Makes the side panel and gives it its place. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from '../api';
import { fairingIcon } from '../icon';
import { NotebookLink } from '../models/notebook';
import { PanelModel } from '../models/panel';
import { FairingPanel } from '../panel';
import { IFairingPanel, SECTIONS, type Section } from '../tokens';
import { makeHost } from './host';

const ID = 'fairing-az-jupyter:plugin';

/** The side panel. */
export const panelPlugin: JupyterFrontEndPlugin<IFairingPanel> = {
  id: ID,
  description:
    'The side panel for setting up, checking, launching and watching notebooks on Kubeflow on Azure.',
  autoStart: true,
  provides: IFairingPanel,
  requires: [INotebookTracker, IDocumentManager],
  optional: [ITranslator, ILayoutRestorer, ISettingRegistry, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    documents: IDocumentManager,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    state: IStateDB | null
  ): IFairingPanel => {
    const trans = (translator ?? nullTranslator).load('fairing-az-jupyter');
    const api = new Api(app.serviceManager.serverSettings);
    const model = new PanelModel(api, new NotebookLink(tracker), makeHost(documents, trans));
    const panel = new FairingPanel(model, trans);
    panel.id = 'fairing-az-jupyter-panel';
    panel.title.icon = fairingIcon;
    panel.title.caption = trans.__('Fairing on Azure');
    // Nothing is asked of the server for a panel that nobody sees.
    model.settings.isActive = false;
    panel.shown.connect((_sender, isShown) => {
      model.settings.isActive = isShown;
      if (isShown && !model.settings.schema && !model.settings.isBusy) {
        void model.settings.load();
      }
    });
    app.shell.add(panel, 'right', { rank: 700, type: 'Fairing on Azure' });
    restorer?.add(panel, 'fairing-az-jupyter-panel');
    if (registry) {
      void follow(registry, model);
    }
    if (state) {
      void keepSections(state, model);
    }
    return {
      model,
      show: (section?: Section) => {
        if (section) {
          model.toggle(section, true);
        }
        app.shell.activateById(panel.id);
        if (section) {
          reveal(panel.node, section);
        }
      }
    };
  }
};

/** Scroll to a section and give it the keyboard, once it is drawn. */
function reveal(node: HTMLElement, section: Section): void {
  requestAnimationFrame(() => {
    const heading = node.querySelector<HTMLElement>(`#jp-fairing-az-${section}-heading button`);
    heading?.focus();
    heading?.scrollIntoView({ block: 'nearest' });
  });
}

/** Open the sections that were open in this workspace, and keep which are. */
async function keepSections(state: IStateDB, model: PanelModel): Promise<void> {
  const key = `${ID}:sections`;
  const atFirst = model.open;
  const kept: unknown = await state.fetch(key).catch(() => undefined);
  // What was opened or closed meanwhile counts more than what was kept.
  if (Array.isArray(kept) && model.open === atFirst) {
    for (const section of SECTIONS) {
      model.toggle(section, kept.includes(section));
    }
  }
  model.sectionsChanged.connect(() => {
    const open = SECTIONS.filter(section => model.open.has(section));
    state.save(key, open).catch((error: unknown) => {
      console.warn('Could not save which sections are open.', error);
    });
  });
}

/** Take what JupyterLab's settings editor says, now and whenever it changes. */
async function follow(registry: ISettingRegistry, model: PanelModel): Promise<void> {
  try {
    const settings = await registry.load(ID);
    const onChanged = () => {
      const profile = settings.composite['profile'];
      model.settings.profiles.choose(typeof profile === 'string' && profile ? profile : null);
    };
    onChanged();
    settings.changed.connect(onChanged);
    model.disposed.connect(() => settings.changed.disconnect(onChanged));
  } catch (error) {
    console.warn('Could not read the settings of fairing-az-jupyter. Using the defaults.', error);
  }
}
