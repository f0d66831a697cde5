/** One run that somebody looks at: what is known of it, kept up to date as long as it is looked at. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { asApiError, type Api, type ApiError } from '../api';
import type { IRun } from '../types';
import { Model } from './model';
import { advance, NO_PROGRESS, type IProgress } from './progress';

/** The pause between two signals, in milliseconds: a run that prints a lot must not be drawn at every line. */
const PAUSE = 100;

/** What of the server's routes a watch needs. */
export type WatchApi = Pick<Api, 'run' | 'followRun'>;

/** One run that is looked at. */
export class RunWatch extends Model {
  constructor(
    private readonly _api: WatchApi,
    readonly id: string,
    run: IRun | null
  ) {
    super();
    this._run = run;
  }

  /** Emitted when the server has reported the run's state. */
  get updated(): ISignal<this, IRun> {
    return this._updated;
  }

  /** The run; null before the server has sent it. */
  get run(): IRun | null {
    return this._run;
  }

  /** What its events add up to. */
  get progress(): IProgress {
    return this._progress;
  }

  /** Why it can't be followed; null if it can. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether its events come in; false while the stream reconnects. */
  get isConnected(): boolean {
    return this._isConnected;
  }

  /** Whether somebody looks at it. */
  get isHeld(): boolean {
    return this._holders > 0;
  }

  /** Keep it up to date until what is returned is disposed; events continue where they stopped. */
  hold(): IDisposable {
    this._holders += 1;
    this._follow();
    let isDisposed = false;
    return {
      get isDisposed() {
        return isDisposed;
      },
      dispose: () => {
        if (!isDisposed) {
          isDisposed = true;
          this._holders -= 1;
          if (this._holders === 0) {
            this._stop();
          }
        }
      }
    };
  }

  /** Pause the stream or resume it: a page that nobody sees needs no connection. */
  pause(paused: boolean): void {
    this._isPaused = paused;
    if (paused) {
      this._stop();
    } else {
      this._follow();
    }
  }

  /** Try again after it could not be followed. */
  retry(): void {
    this._stop();
    this._error = null;
    this._follow();
    this._scheduleChanged();
  }

  /** Take a newer state of the run that came by another route. */
  update(run: IRun): void {
    const before = this._run;
    if (before && isOlder(run, before)) {
      return;
    }
    this._run = run;
    if (before && run.attempt > before.attempt) {
      this._hasEnded = false;
    }
    this._follow();
    this._scheduleChanged();
  }

  /** Let everything go. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    this._stop();
    clearTimeout(this._timer);
  }

  private _follow(): void {
    if (
      this._stream ||
      this._hasEnded ||
      !this._holders ||
      this._isPaused ||
      this._error ||
      this.isDisposed
    ) {
      return;
    }
    if (!this._run) {
      void this._load();
    }
    this._stream = this._api.followRun(
      this.id,
      {
        onItem: (event, offset) => {
          this._offset = offset;
          this._progress = advance(this._progress, event);
          this._scheduleChanged();
        },
        onEnd: run => {
          this._stream = null;
          this._hasEnded = true;
          this._run = run;
          this._updated.emit(run);
          this._scheduleChanged();
        },
        onError: error => {
          this._stream = null;
          this._error = error;
          this._scheduleChanged();
        },
        onState: connected => {
          this._isConnected = connected;
          this._scheduleChanged();
        }
      },
      this._offset
    );
  }

  private async _load(): Promise<void> {
    try {
      const run = await this._api.run(this.id);
      if (!this.isDisposed && !this._run) {
        this._run = run;
        this._updated.emit(run);
      }
    } catch (error) {
      if (!this.isDisposed && !this._run) {
        this._stop();
        this._error = asApiError(error);
      }
    }
    this._scheduleChanged();
  }

  private _stop(): void {
    this._stream?.dispose();
    this._stream = null;
    this._isConnected = true;
  }

  private _scheduleChanged(): void {
    if (this._timer === undefined && !this.isDisposed) {
      this._timer = setTimeout(() => {
        this._timer = undefined;
        this._changed.emit();
      }, PAUSE);
    }
  }

  private readonly _updated = new Signal<this, IRun>(this);
  private _run: IRun | null;
  private _progress: IProgress = NO_PROGRESS;
  private _offset = '';
  private _error: ApiError | null = null;
  private _stream: IDisposable | null = null;
  private _holders = 0;
  private _isConnected = true;
  private _isPaused = false;
  private _hasEnded = false;
  private _timer: ReturnType<typeof setTimeout> | undefined = undefined;
}

/** Whether a state is older than the known one: an ended run becomes active again only in another attempt. */
export function isOlder(news: IRun, known: IRun): boolean {
  return known.ended !== null && news.is_active && news.attempt <= known.attempt;
}
