/** The model of the section 'Endpoints'. */

import { asApiError, type Api, type ApiError } from '../api';
import type { IEndpoint, IPrediction, ISources } from '../types';
import { Model } from './model';

/** A call to try an endpoint. */
export interface ITrial {
  /** The rows that were typed. */
  readonly data: string;
  /** Whether the endpoint is being asked. */
  readonly isAsking: boolean;
  /** What it has answered. */
  readonly answer: IPrediction | null;
  /** Why it has not. */
  readonly error: ApiError | null;
}

const NO_TRIAL: ITrial = { data: '', isAsking: false, answer: null, error: null };

/** Identifies an endpoint: the same name may exist on this machine and in a namespace. */
export function keyOf(endpoint: IEndpoint): string {
  return `${endpoint.place}/${endpoint.namespace}/${endpoint.name}`;
}

/** The model of the section 'Endpoints'. */
export class EndpointsModel extends Model {
  constructor(
    readonly api: Api,
    readonly sources: () => ISources
  ) {
    super();
  }

  /** The endpoints; null before the server has listed them. */
  get endpoints(): readonly IEndpoint[] | null {
    return this._endpoints;
  }

  /** Why the cluster could not be asked; empty if it was. */
  get note(): string {
    return this._note;
  }

  /** Whether the server is being asked. */
  get isLoading(): boolean {
    return this._isLoading;
  }

  /** Why the endpoints could not be got, or one not be deleted; null if nothing has failed. */
  get error(): ApiError | null {
    return this._error;
  }

  /** The endpoints that are being deleted. */
  get deleting(): ReadonlySet<string> {
    return this._deleting;
  }

  /** The last call that tried an endpoint. */
  trial(endpoint: IEndpoint): ITrial {
    return this._trials.get(keyOf(endpoint)) ?? NO_TRIAL;
  }

  /** Take the rows that were typed. */
  type(endpoint: IEndpoint, data: string): void {
    this._try(endpoint, { data });
  }

  /** Ask which endpoints there are. */
  async refresh(): Promise<void> {
    const turn = ++this._turn;
    this._isLoading = true;
    this._changed.emit();
    try {
      const found = await this.api.endpoints(this.sources());
      if (turn === this._turn) {
        this._endpoints = found.endpoints;
        this._note = found.note;
        this._error = null;
      }
    } catch (error) {
      if (turn === this._turn) {
        this._error = asApiError(error);
      }
    }
    if (turn === this._turn && !this.isDisposed) {
      this._isLoading = false;
      this._changed.emit();
    }
  }

  /** Ask an endpoint for predictions of the rows that were typed for it. */
  async call(endpoint: IEndpoint): Promise<void> {
    const { data, isAsking } = this.trial(endpoint);
    if (isAsking) {
      return;
    }
    this._try(endpoint, { isAsking: true, error: null, answer: null });
    try {
      const answer = await this.api.predict(endpoint, this.sources(), data);
      this._try(endpoint, { isAsking: false, answer });
    } catch (error) {
      this._try(endpoint, { isAsking: false, error: asApiError(error) });
    }
  }

  /** Delete an endpoint; true if it is gone. */
  async delete(endpoint: IEndpoint): Promise<boolean> {
    const key = keyOf(endpoint);
    if (this._deleting.has(key)) {
      return false;
    }
    this._deleting = new Set([...this._deleting, key]);
    this._error = null;
    this._changed.emit();
    let error: ApiError | null = null;
    try {
      await this.api.deleteEndpoint(endpoint, this.sources());
      this._endpoints = this._endpoints?.filter(each => keyOf(each) !== key) ?? null;
      this._trials.delete(key);
    } catch (caught) {
      error = asApiError(caught);
    }
    this._deleting = new Set([...this._deleting].filter(each => each !== key));
    if (this.isDisposed) {
      return false;
    }
    this._error = error;
    this._changed.emit();
    if (error === null) {
      void this.refresh();
    }
    return error === null;
  }

  private _try(endpoint: IEndpoint, news: Partial<ITrial>): void {
    if (!this.isDisposed) {
      this._trials.set(keyOf(endpoint), { ...this.trial(endpoint), ...news });
      this._changed.emit();
    }
  }

  private readonly _trials = new Map<string, ITrial>();
  private _endpoints: readonly IEndpoint[] | null = null;
  private _note = '';
  private _error: ApiError | null = null;
  private _deleting: ReadonlySet<string> = new Set<string>();
  private _turn = 0;
  private _isLoading = false;
}
