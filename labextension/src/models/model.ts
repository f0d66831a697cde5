/** What all models have in common: they say that they have changed, and end. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

/** A model of a part of the panel. */
export abstract class Model implements IDisposable {
  /** Emitted when anything has changed that is shown of it. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether this object is of no use any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Let everything go. */
  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      Signal.clearData(this);
    }
  }

  protected readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;
}
