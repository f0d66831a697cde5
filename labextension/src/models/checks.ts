/** The model of the section 'Checks'. */
import type { IDisposable } from '@lumino/disposable';

import { asApiError, type Api, type ApiError } from '../api';
import type { ICheckResult, ISecretChange, ISecretValues, ISources } from '../types';
import type { IFix } from './fix';
import { Model } from './model';

type ChecksApi = Pick<
  Api,
  'startCheck' | 'followCheck' | 'cancelCheck' | 'createSecrets' | 'attachSecret'
>;

/** How the checks are: none were started, they are running, or how they ended. */
export type ChecksState = 'none' | 'running' | 'done' | 'cancelled' | 'broken';

/** How many results there are of each kind. */
export interface ICounts {
  readonly all: number;
  readonly pass: number;
  readonly warn: number;
  readonly fail: number;
  readonly skipped: number;
  readonly unknown: number;
}

/** The model of the section 'Checks'. */
export class ChecksModel extends Model {
  constructor(
    readonly api: ChecksApi,
    readonly sources: () => ISources
  ) {
    super();
  }

  /** The results so far, in reading order. */
  get results(): readonly ICheckResult[] {
    return this._results;
  }

  /** How the checks are. */
  get state(): ChecksState {
    return this._state;
  }

  /** The notebook that was checked; empty if it was none. */
  get path(): string {
    return this._path;
  }

  /** How many checks the last complete round had; null if there was none yet. */
  get expected(): number | null {
    return this._expected;
  }

  /** Whether the results come in; false while the connection is being made again. */
  get isConnected(): boolean {
    return this._isConnected;
  }

  /** Why the checks could not start or were broken off. */
  get error(): ApiError | null {
    return this._error;
  }

  /** The check whose fix is open; null if none is. */
  get fixing(): string | null {
    return this._fixing;
  }

  /** Whether the server is fixing something now. */
  get isFixing(): boolean {
    return this._isFixing;
  }

  /** Why the last fix failed. */
  get fixError(): ApiError | null {
    return this._fixError;
  }

  /** What the last fix changed. */
  get fixed(): readonly ISecretChange[] {
    return this._fixed;
  }

  /** Whether only what needs attention is shown. */
  get onlyAttention(): boolean {
    return this._onlyAttention;
  }
  set onlyAttention(only: boolean) {
    this._onlyAttention = only;
    this._changed.emit();
  }

  /** How many results there are of each kind. */
  get counts(): ICounts {
    const counts = { all: 0, pass: 0, warn: 0, fail: 0, skipped: 0, unknown: 0 };
    for (const result of this._results) {
      counts.all += 1;
      counts[result.status] += 1;
    }
    return counts;
  }

  /** Check everything that a launch needs; checks that are still running are stopped. */
  start(): Promise<void> {
    this._fixed = [];
    return this._start(this.sources());
  }

  /** Stop the running checks; the results so far stay. */
  cancel(): void {
    if (this._state === 'running') {
      this._stop();
      this._turn += 1;
      this._end('cancelled', null);
    }
  }

  /** Open the fix of a check: the panel asks for the missing values. */
  openFix(check: string): void {
    this._fixing = check;
    this._fixError = null;
    this._changed.emit();
  }

  /** Close the fix without doing it. */
  closeFix(): void {
    this._fixing = null;
    this._fixError = null;
    this._changed.emit();
  }

  /**
   * Fix what a check has found, and check again.
   *
   * @param fix - What to do; see `fixOf`.
   * @param values - The secrets' values. They go to the server and are kept nowhere here.
   * @returns Whether it was done.
   */
  async fix(fix: IFix, values: ISecretValues = {}): Promise<boolean> {
    if (this._isFixing) {
      return false;
    }
    this._isFixing = true;
    this._fixError = null;
    this._fixed = [];
    this._changed.emit();
    const sources = this._checkedSources();
    try {
      if (fix.kind === 'attach') {
        this._fixed = await this.api.attachSecret(sources);
      } else {
        const { azure, acr, only_secret, replace } = fix;
        const request = { sources, azure, acr, only_secret, replace, dry_run: false, values };
        this._fixed = await this.api.createSecrets(request);
      }
    } catch (error) {
      this._fixError = asApiError(error);
    }
    this._isFixing = false;
    if (this.isDisposed) {
      return false;
    }
    if (this._fixError) {
      this._changed.emit();
      return false;
    }
    await this._start(this._checkedSources());
    return true;
  }

  /** Let everything go. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    this._turn += 1;
    this._stop();
  }

  private async _start(sources: ISources): Promise<void> {
    this._stop();
    const turn = ++this._turn;
    this._checked = sources;
    this._path = sources.notebook?.path ?? '';
    this._results = [];
    this._error = null;
    this._fixing = null;
    this._fixError = null;
    this._isConnected = true;
    this._state = 'running';
    this._changed.emit();
    let id: string;
    try {
      id = await this.api.startCheck(sources);
    } catch (error) {
      if (turn === this._turn) {
        this._end('broken', asApiError(error));
      }
      return;
    }
    if (turn !== this._turn || this.isDisposed) {
      // It was cancelled before the server had answered.
      this.api.cancelCheck(id).catch(() => undefined);
      return;
    }
    this._id = id;
    this._stream = this.api.followCheck(id, {
      onItem: result => {
        if (turn === this._turn) {
          const others = this._results.filter(each => each.check !== result.check);
          this._results = [...others, result].sort((a, b) => a.position - b.position);
          this._changed.emit();
        }
      },
      onEnd: end => {
        if (turn === this._turn) {
          this._expected = end.count;
          this._end('done', null);
        }
      },
      onError: error => {
        if (turn === this._turn) {
          this._end('broken', error);
        }
      },
      onState: connected => {
        if (turn === this._turn) {
          this._isConnected = connected;
          this._changed.emit();
        }
      }
    });
  }

  private _stop(): void {
    this._stream?.dispose();
    this._stream = null;
    if (this._id) {
      this.api.cancelCheck(this._id).catch(() => undefined);
      this._id = '';
    }
  }

  /** What was checked: as it is now if it is the notebook beside the panel, else as it was. */
  private _checkedSources(): ISources {
    const now = this.sources();
    const before = this._checked;
    return before && before.notebook?.path !== now.notebook?.path ? before : now;
  }

  private _end(state: ChecksState, error: ApiError | null): void {
    this._stream = null;
    this._id = '';
    this._state = state;
    this._error = error;
    this._isConnected = true;
    this._changed.emit();
  }

  private _results: readonly ICheckResult[] = [];
  private _state: ChecksState = 'none';
  private _path = '';
  private _expected: number | null = null;
  private _isConnected = true;
  private _error: ApiError | null = null;
  private _fixing: string | null = null;
  private _isFixing = false;
  private _fixError: ApiError | null = null;
  private _fixed: readonly ISecretChange[] = [];
  private _onlyAttention = false;
  private _checked: ISources | null = null;
  private _id = '';
  private _stream: IDisposable | null = null;
  private _turn = 0;
}
