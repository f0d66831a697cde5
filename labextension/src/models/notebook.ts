/** The notebook beside the panel: its text as the editor has it, and edits that go through its shared model. */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { IFillPlan, INotebookSource } from '../types';
import { applyPlan, type UndoPlace } from './edits';

export { difference } from './edits';

/** The delay after the last change before listeners are notified, in milliseconds. */
const DEBOUNCE = 400;

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
    return this.panel ? contentsPath(this.panel) : '';
  }

  /** Whether it has changes that are not saved. */
  get isDirty(): boolean {
    return this.panel?.context.model.dirty ?? false;
  }

  /** Whether it is loaded. */
  get isReady(): boolean {
    return this.panel?.context.isReady ?? false;
  }

  /** Whether its cells may not be edited. */
  get isReadOnly(): boolean {
    return this.panel?.context.model.readOnly ?? false;
  }

  /** The notebook as the server takes it: without outputs, which nothing needs and which may be large. */
  source(): INotebookSource | null {
    return this.panel ? sourceOf(this.panel) : null;
  }

  /** How the code and the tags are now: as long as this stays the same, a plan fits. Empty if none is open. */
  state(): string {
    const panel = this.panel;
    const cells = panel?.context.model.sharedModel.cells ?? [];
    return JSON.stringify([
      panel?.id ?? '',
      cells.map(cell => [cell.cell_type, cell.getSource(), cell.getMetadata('tags') ?? null])
    ]);
  }

  /** The number of the cell that is tagged `parameters`, from 0; -1 if there is none. */
  get parametersCell(): number {
    const cells = this.panel?.context.model.sharedModel.cells ?? [];
    return cells.findIndex(cell => {
      const tags: unknown = cell.getMetadata('tags');
      return cell.cell_type === 'code' && Array.isArray(tags) && tags.includes('parameters');
    });
  }

  /**
   * Apply a plan to the shared model: undo takes it back, collaborators see it, and nothing is written to the file.
   *
   * @param plan - What to change.
   * @returns Whether it was applied; false if a cell is not any more as the plan has seen it.
   */
  apply(plan: IFillPlan): boolean {
    return this.applyUndoably(plan) !== null;
  }

  /** As `apply`; returns where undo takes it back, null if it was not applied. */
  applyUndoably(plan: IFillPlan): UndoPlace | null {
    const model = this.panel?.context.model;
    if (!model || model.readOnly || !this.isReady) {
      return null;
    }
    const place = applyPlan(model.sharedModel, plan);
    const first = plan.edits[0];
    if (place && first) {
      this.reveal(first.cell_index, place === 'cell' ? 'edit' : 'command');
    }
    return place;
  }

  /** Save the notebook, if it has changes. */
  async save(): Promise<void> {
    if (this.panel && this.isDirty) {
      await this.panel.context.save();
    }
  }

  /**
   * Show a cell, and make it the active one.
   *
   * @param index - The cell's number, from 0.
   * @param mode - The notebook's mode: undo takes back edits of the cell in `edit`, of the notebook in `command`.
   */
  reveal(index: number, mode: 'command' | 'edit' = 'command'): void {
    const notebook = this.panel?.content;
    if (notebook && index >= 0 && index < notebook.widgets.length) {
      notebook.deselectAll();
      notebook.activeCellIndex = index;
      // Scrolling fails for a cell that is not rendered yet; it is the active cell nevertheless.
      notebook.scrollToItem(index).catch(() => undefined);
      notebook.mode = mode;
    }
  }

  /** Give the keyboard to the notebook. */
  focus(): void {
    this.panel?.content.activate();
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
    if (panel === this._connected) {
      return;
    }
    const before = this._connected;
    if (before) {
      before.disposed.disconnect(this._onCurrent, this);
      if (!before.isDisposed) {
        before.context.pathChanged.disconnect(this._onContent, this);
        before.context.model.contentChanged.disconnect(this._onContent, this);
        before.context.model.stateChanged.disconnect(this._onContent, this);
      }
    }
    clearTimeout(this._timer);
    this._connected = panel;
    if (panel) {
      panel.context.model.contentChanged.connect(this._onContent, this);
      panel.context.model.stateChanged.connect(this._onContent, this);
      panel.disposed.connect(this._onCurrent, this);
      panel.context.pathChanged.connect(this._onContent, this);
      const onReady = () => this._onContent();
      panel.context.ready.then(onReady, onReady);
    }
    this._changed.emit();
  }

  private _onContent(): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      if (!this._isDisposed) {
        this._changed.emit();
      }
    }, DEBOUNCE);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _connected: NotebookPanel | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined = undefined;
  private _isDisposed = false;
}

/** A notebook as the server takes it; null as long as it is being loaded. */
export function sourceOf(panel: NotebookPanel): INotebookSource | null {
  if (!panel.context.isReady) {
    return null;
  }
  const text = JSON.stringify(panel.context.model.toJSON(), (key, value: unknown) =>
    key === 'outputs' ? [] : key === 'attachments' ? {} : value
  );
  return { path: contentsPath(panel), content: text };
}

/** Where a notebook is, without the drive of real-time collaboration. */
export function contentsPath(panel: NotebookPanel): string {
  return panel.context.path.replace(/^RTC:/, '');
}
