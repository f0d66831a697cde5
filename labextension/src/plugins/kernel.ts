/** The link to kernels: it says that the panel is there, and fills a notebook when `%fairing_azure fill` asks for it. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';

import { asApiError, type Api } from '../api';
import { applyPlan } from '../models/edits';
import { contentsPath, sourceOf } from '../models/notebook';
import { errorText } from '../parts/server_text';
import { IFairingPanel } from '../tokens';
import type { IFillSources } from '../types';

/** The comm's target, as kernels name it. */
const TARGET = 'fairing-az-jupyter';

/** What a kernel asks for. */
interface IFillRequest {
  readonly values: NonNullable<IFillSources['values']>;
  readonly profile: string | null;
}

/** Fills a notebook when its kernel asks for it. */
export const kernelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'fairing-az-jupyter:kernel',
  description: 'Fills the parameters cell when %fairing_azure fill asks for it.',
  autoStart: true,
  requires: [INotebookTracker, IFairingPanel],
  optional: [ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    tracker: INotebookTracker,
    fairing: IFairingPanel,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('fairing-az-jupyter');
    const listen = (panel: NotebookPanel) => {
      const onKernel = () => {
        const kernel = panel.sessionContext.session?.kernel;
        if (kernel) {
          listenTo(kernel, panel, fairing.model.api, trans);
        }
      };
      panel.sessionContext.kernelChanged.connect(onKernel);
      panel.disposed.connect(() => panel.sessionContext.kernelChanged.disconnect(onKernel));
      onKernel();
    };
    tracker.widgetAdded.connect((_, panel) => listen(panel));
    tracker.forEach(listen);
  }
};

/** Answer every link that a kernel opens, and those that it has open already, as after the page was reloaded. */
function listenTo(
  kernel: Kernel.IKernelConnection,
  panel: NotebookPanel,
  api: Api,
  trans: TranslationBundle
): void {
  const answer = (comm: Kernel.IComm) => {
    comm.onMsg = message => {
      const fill = fillRequestOf(message.content.data);
      if (fill && !panel.isDisposed) {
        return fillFor(panel, api, fill, trans);
      }
      return undefined;
    };
    comm.send({ present: true, path: contentsPath(panel) });
    panel.disposed.connect(() => {
      if (!kernel.isDisposed && !comm.isDisposed) {
        comm.send({ present: false });
      }
    });
  };
  kernel.registerCommTarget(TARGET, comm => answer(comm));
  void kernel
    .requestCommInfo({ target_name: TARGET })
    .then(reply => {
      const known = reply.content.status === 'ok' ? Object.keys(reply.content.comms) : [];
      for (const id of known) {
        if (!kernel.isDisposed && !kernel.hasComm(id)) {
          answer(kernel.createComm(TARGET, id));
        }
      }
    })
    .catch(() => undefined);
}

/** Read what a kernel asks for; null for anything else: what runs in a kernel can send whatever it likes. */
function fillRequestOf(data: unknown): IFillRequest | null {
  const fill = isObject(data) ? data['fill'] : null;
  const { values, profile } = isObject(fill) ? fill : {};
  return isObject(values) && (profile === null || typeof profile === 'string')
    ? { values, profile }
    : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function fillFor(
  panel: NotebookPanel,
  api: Api,
  wanted: IFillRequest,
  trans: TranslationBundle
): Promise<void> {
  const name = contentsPath(panel);
  try {
    await panel.context.ready;
    const notebook = sourceOf(panel);
    if (!notebook) {
      return;
    }
    const plan = await api.fillPlan({ notebook, ...wanted });
    const model = panel.context.model;
    if (!plan.changed) {
      Notification.info(trans.__('%1 already has these values.', name), { autoClose: 5000 });
    } else if (model.readOnly || applyPlan(model.sharedModel, plan) === null) {
      Notification.error(
        trans.__('%1 is read-only, or changed in the meantime. Nothing was filled.', name)
      );
    } else {
      Notification.success(trans.__('Filled the parameters cell of %1.', name), {
        autoClose: 5000
      });
    }
  } catch (error) {
    Notification.error(errorText(asApiError(error), trans));
  }
}
