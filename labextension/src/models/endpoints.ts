/** The model of the section 'Endpoints'. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../api';
import type { ISources } from '../types';

/** The model of the section 'Endpoints'. */
export class EndpointsModel implements IDisposable {
  constructor(readonly api: Api, readonly sources: () => ISources) {}

  /** Emitted when anything has changed that the section shows. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether this object is of no use any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Let everything go. */
  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;
}
