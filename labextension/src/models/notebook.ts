/** The notebook beside the panel: its text as the editor has it, and edits that go through its shared model. */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { IFillPlan, INotebookSource } from '../types';

/** How long a notebook has to rest before its change counts, in milliseconds. */
const REST = 400;

/** The notebook that was chosen last. */
export class NotebookLink implements IDisposable {
  constructor(private readonly _tracker: INotebookTracker) {
    _tracker.currentChanged.connect(this._onCurrent, this);
    this._onCurrent();
  }

  /** Emitted when another notebook was chosen, or the code of this one has changed and rests. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether this object is of no use any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The notebook; null if none is open. */
  get panel(): NotebookPanel | null {
    const panel = this._tracker.currentWidget;
    return panel && !panel.isDisposed ? panel : null;
  }

  /** Where it is, without a drive of real-time collaboration; empty if none is open. */
  get path(): string {
    return this.panel?.context.path.replace(/^RTC:/, '') ?? '';
  }

  /** Whether it has changes that are not saved. */
  get isDirty(): boolean {
    return this.panel?.context.model.dirty ?? false;
  }

  /** Whether it can be read by now. */
  get isReady(): boolean {
    return this.panel?.context.isReady ?? false;
  }

  /** The notebook as the server takes it: without outputs, which nothing needs and which may be large. */
  source(): INotebookSource | null {
    const panel = this.panel;
    if (!panel || !panel.context.isReady) {
      return null;
    }
    const model = panel.context.model;
    const text = JSON.stringify(model.toJSON(), (key, value: unknown) =>
      key === 'outputs' ? [] : key === 'attachments' ? {} : value
    );
    return { path: this.path, content: text };
  }

  /**
   * Apply a plan to the shared model: undo takes it back, collaborators see it, and nothing is written to the file.
   *
   * @param plan - What to change.
   * @returns Whether it was applied; false if a cell is not any more as the plan has seen it.
   */
  apply(plan: IFillPlan): boolean {
    const model = this.panel?.context.model;
    const shared = model?.sharedModel;
    if (!model || !shared || model.readOnly) {
      return false;
    }
    const sources = shared.cells.map(cell => cell.getSource());
    const created = plan.edits.filter(edit => edit.created);
    const offset = (index: number) => created.filter(edit => edit.cell_index < index).length;
    const fits = plan.edits.every(
      edit => edit.created || sources[edit.cell_index - offset(edit.cell_index)] === edit.before
    );
    if (!fits) {
      return false;
    }
    shared.transact(() => {
      for (const edit of plan.edits) {
        if (edit.created) {
          shared.insertCell(edit.cell_index, {
            cell_type: 'code',
            source: edit.after,
            metadata: { tags: ['parameters'] },
            ...(edit.cell_id ? { id: edit.cell_id } : {})
          });
          continue;
        }
        const cell = shared.getCell(edit.cell_index);
        const [start, end, text] = difference(edit.before, edit.after);
        cell.updateSource(start, end, text);
      }
    });
    return true;
  }

  /** Save the notebook, if it has changes. */
  async save(): Promise<void> {
    if (this.panel && this.isDirty) {
      await this.panel.context.save();
    }
  }

  /** Show a cell, and put the cursor there. */
  reveal(index: number): void {
    const notebook = this.panel?.content;
    if (notebook && index >= 0 && index < notebook.widgets.length) {
      notebook.activeCellIndex = index;
      void notebook.scrollToItem(index);
    }
  }

  /** Let everything go. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    clearTimeout(this._timer);
    Signal.clearData(this);
  }

  private _onCurrent(): void {
    const panel = this.panel;
    if (panel === this._followed) {
      return;
    }
    const before = this._followed;
    if (before && !before.isDisposed) {
      before.context.model.contentChanged.disconnect(this._onContent, this);
      before.context.model.stateChanged.disconnect(this._onContent, this);
    }
    this._followed = panel;
    if (panel) {
      panel.context.model.contentChanged.connect(this._onContent, this);
      panel.context.model.stateChanged.connect(this._onContent, this);
      panel.disposed.connect(this._onCurrent, this);
      panel.context.pathChanged.connect(this._onContent, this);
      void panel.context.ready.then(() => this._onContent());
    }
    this._changed.emit();
  }

  private _onContent(): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      if (!this._isDisposed) {
        this._changed.emit();
      }
    }, REST);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _followed: NotebookPanel | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined = undefined;
  private _isDisposed = false;
}

/** The smallest replacement that makes one text of another: start, end, and what goes there. */
export function difference(before: string, after: string): [number, number, string] {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) {
    start += 1;
  }
  let tail = 0;
  while (tail < most - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) {
    tail += 1;
  }
  return [start, before.length - tail, after.slice(start, after.length - tail)];
}
