/** What the panel asks of JupyterLab: documents, dialogs, the clipboard, downloads and notifications. */
import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IHost } from '../models/panel';

/** How long a notification stays, in milliseconds. */
const SHOWN = 5000;

/** Return what the panel asks of JupyterLab. */
export function makeHost(documents: IDocumentManager, trans: TranslationBundle): IHost {
  return {
    open: async path => {
      if (!documents.openOrReveal(path)) {
        throw new Error(trans.__('%1 can’t be opened.', path));
      }
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
      // The browser's own clipboard needs a secure context, which Kubeflow behind plain HTTP is not.
      if (window.isSecureContext) {
        await navigator.clipboard.writeText(text);
      } else {
        Clipboard.copyToSystem(text);
      }
    },
    download: (url, name) => {
      const link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
    },
    notify: (message, kind) => {
      Notification.emit(message, kind, { autoClose: SHOWN });
    }
  };
}
