/** What the panel's commands are called, when they can be used, and what they do. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { runIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { asApiError } from '../api';
import { fairingIcon } from '../icon';
import type { FillOutcome } from '../models/fill';
import { errorText } from '../parts/server_text';
import { CommandIDs, SECTIONS, type IFairingPanel, type Section } from '../tokens';

const NO_ARGUMENTS = { args: { type: 'object', properties: {} } } as const;

/** Add the commands to a registry. */
export function addCommands(
  commands: CommandRegistry,
  panel: IFairingPanel,
  trans: TranslationBundle
): void {
  const { model } = panel;
  const hasNotebook = () => model.notebook.panel !== null;
  const report = (error: unknown) => {
    model.host.notify(errorText(asApiError(error), trans), 'error');
  };
  commands.addCommand(CommandIDs.show, {
    label: trans.__('Fairing on Azure'),
    caption: trans.__('Set up, check, launch and run this notebook on Kubeflow on Azure'),
    icon: fairingIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: { section: { type: 'string', enum: [...SECTIONS] } }
      }
    },
    execute: args => panel.show(sectionOf(args['section']))
  });
  commands.addCommand(CommandIDs.check, {
    label: trans.__('Check Launch Requirements'),
    caption: trans.__('Check every Secret, permission and Azure resource that a launch needs'),
    describedBy: NO_ARGUMENTS,
    execute: async () => {
      panel.show('checks');
      await model.checks.start();
    }
  });
  commands.addCommand(CommandIDs.fill, {
    label: trans.__('Fill the Parameters Cell'),
    caption: trans.__(
      "Write the settings into the notebook's parameters cell. Undo reverts the change."
    ),
    isEnabled: hasNotebook,
    describedBy: NO_ARGUMENTS,
    execute: async () => {
      const outcome = await model.settings.apply();
      notifyOutcome(outcome, panel, trans);
      return outcome;
    }
  });
  commands.addCommand(CommandIDs.runNotebook, {
    label: trans.__('Run the Notebook on This Machine'),
    caption: trans.__('Save the notebook and run a copy of it in the background on this machine'),
    icon: runIcon,
    isEnabled: hasNotebook,
    describedBy: NO_ARGUMENTS,
    execute: async () => {
      const { path } = model.notebook;
      if (!path) {
        return;
      }
      try {
        await model.notebook.save();
        const { profile, values } = model.sources();
        await model.runs.start({ notebook: path, profile, values });
        panel.show('runs');
      } catch (error) {
        report(error);
      }
    }
  });
  commands.addCommand(CommandIDs.showRun, {
    label: trans.__('Show Runs'),
    caption: trans.__('Show all runs, or one run by its ID'),
    describedBy: { args: { type: 'object', properties: { id: { type: 'string' } } } },
    execute: args => {
      const id = args['id'];
      if (typeof id === 'string' && id) {
        model.runs.select(id);
      }
      panel.show('runs');
    }
  });
}

function sectionOf(name: unknown): Section | undefined {
  return SECTIONS.find(section => section === name);
}

function notifyOutcome(outcome: FillOutcome, panel: IFairingPanel, trans: TranslationBundle): void {
  const { host, settings, notebook } = panel.model;
  switch (outcome) {
    case 'applied':
      host.notify(trans.__('Parameters cell filled. Use Undo to revert it.'), 'success');
      notebook.focus();
      break;
    case 'nothing':
      host.notify(trans.__('Nothing to change: the notebook already has these settings.'), 'info');
      break;
    case 'read-only':
      host.notify(trans.__('This notebook is read-only. Save a copy and fill the copy.'), 'error');
      break;
    case 'no-notebook':
      host.notify(
        trans.__('No notebook is open. Open the notebook that you want to fill.'),
        'error'
      );
      break;
    default: {
      const { error } = settings.fill;
      const text = error
        ? errorText(error, trans)
        : trans.__(
            'The notebook changed in the meantime. Review the new changes, then apply them.'
          );
      host.notify(text, 'error');
      panel.show('settings');
    }
  }
}
