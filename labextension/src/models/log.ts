/** The log of a run: windows of its lines as they are looked at, so that its length costs no memory. */

import { asApiError, type Api, type ApiError } from '../api';
import { LogSearch } from './log_search';
import { Model } from './model';

/** Lines in one window. */
export const WINDOW = 200;
/** Windows that are kept. */
export const MOST_WINDOWS = 20;
/** Windows that are asked for at the same time. */
const MOST_REQUESTS = 2;
/** The delay after scrolling before lines are requested, in milliseconds. */
const DEBOUNCE = 40;
/** The pause between two looks at the end of a log that grows, and after one that has failed, in milliseconds. */
const PAUSE = 1000;
const LONG_PAUSE = 5000;

/** What of the server's routes a log needs. */
export type LogApi = Pick<Api, 'log' | 'searchLog' | 'logFileUrl'>;

/** The log of one run. */
export class LogModel extends Model {
  /**
   * @param api - The server.
   * @param id - The run.
   */
  constructor(
    private readonly _api: LogApi,
    readonly id: string
  ) {
    super();
    this.search = new LogSearch(_api, this);
    void this._look();
  }

  /** The search in it. */
  readonly search: LogSearch;

  /** How many lines there are so far. */
  get total(): number {
    return this._total;
  }

  /** Whether the server has answered at all. */
  get isReady(): boolean {
    return this._isReady;
  }

  /** Whether it will not grow any more. */
  get ended(): boolean {
    return this._ended;
  }

  /** Whether the view stays at the end as it grows. */
  get isFollowing(): boolean {
    return this._isFollowing;
  }

  /** Follow the log as it grows, or don't. */
  setFollowing(following: boolean): void {
    if (following !== this._isFollowing) {
      this._isFollowing = following;
      this._changed.emit();
    }
  }

  /** Why lines could not be got; null if they could. */
  get error(): ApiError | null {
    return this._error;
  }

  /** How many windows are kept. */
  get size(): number {
    return this._windows.size;
  }

  /** Where a browser downloads it. */
  get fileUrl(): string {
    return this._api.logFileUrl(this.id);
  }

  /** One line, from 0; null if it has not come yet. */
  line(index: number): string | null {
    const key = Math.floor(index / WINDOW);
    return this._windows.get(key)?.[index - key * WINDOW] ?? null;
  }

  /** Say which lines are looked at; those that are not there yet are asked for when scrolling rests. */
  want(first: number, behind: number): void {
    this._wanted = [first, behind];
    for (let key = Math.floor(first / WINDOW); key * WINDOW < behind; key++) {
      this._touch(key);
    }
    if (this._missing().length && this._fetchTimer === undefined) {
      this._fetchTimer = setTimeout(() => {
        this._fetchTimer = undefined;
        this._fetch();
      }, DEBOUNCE);
    }
  }

  /** Ask again after something has failed. */
  retry(): void {
    this._error = null;
    this._changed.emit();
    this._fetch();
    void this._look();
  }

  /** Let everything go. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    clearTimeout(this._fetchTimer);
    clearTimeout(this._lookTimer);
    this.search.dispose();
    this._windows.clear();
  }

  /** The windows that are looked at and not whole, the nearest to the first line first. */
  private _missing(): number[] {
    const [first, behind] = this._wanted;
    const keys: number[] = [];
    for (
      let key = Math.floor(first / WINDOW);
      key * WINDOW < Math.min(behind, this._total);
      key++
    ) {
      const has = this._windows.get(key)?.length ?? 0;
      if (has < Math.min(WINDOW, this._total - key * WINDOW) && !this._asked.has(key)) {
        keys.push(key);
      }
    }
    return keys;
  }

  /** Ask for what is looked at now; what was only scrolled past is never requested. */
  private _fetch(): void {
    for (const key of this._missing()) {
      if (this._asked.size >= MOST_REQUESTS || this.isDisposed || this._error) {
        return;
      }
      void this._get(key);
    }
  }

  private async _get(key: number): Promise<void> {
    this._asked.add(key);
    try {
      // The server answers with fewer lines than were asked for where they are long; the rest is asked for after.
      const has = this._windows.get(key)?.length ?? 0;
      const first = key * WINDOW + has;
      const found = await this._api.log(this.id, first, WINDOW - has);
      if (this.isDisposed) {
        return;
      }
      if (found.lines.length === 0 && first < found.total) {
        throw new Error('The server reported more log lines than it sent.');
      }
      this._keep(key, has, found.lines);
      this._grow(found.total, found.ended);
    } catch (error) {
      this._fail(error);
    } finally {
      this._asked.delete(key);
    }
    if (!this.isDisposed) {
      this._changed.emit();
      this._fetch();
    }
  }

  /** Look at the end: for how long the log is now, and for lines that have come. */
  private async _look(): Promise<void> {
    if (this._isLooking || this.isDisposed) {
      return;
    }
    this._isLooking = true;
    clearTimeout(this._lookTimer);
    let pause = PAUSE;
    try {
      const key = Math.floor(Math.max(0, this._total - 1) / WINDOW);
      const found = await this._api.log(this.id, key * WINDOW, WINDOW);
      if (this.isDisposed) {
        return;
      }
      const isNew = found.total !== this._total || found.ended !== this._ended || !this._isReady;
      const before = this._windows.get(key);
      if (found.lines.length >= (before?.length ?? 0)) {
        this._keep(key, 0, found.lines);
      }
      this._isReady = true;
      this._error = null;
      this._grow(found.total, found.ended);
      if (isNew || before?.at(-1) !== found.lines.at(-1)) {
        this._changed.emit();
      }
      this._fetch();
    } catch (error) {
      pause = LONG_PAUSE;
      this._fail(error);
      this._changed.emit();
    } finally {
      this._isLooking = false;
    }
    if (!this._ended && !this.isDisposed) {
      this._lookTimer = setTimeout(() => void this._look(), pause);
    }
  }

  private _grow(total: number, ended: boolean): void {
    if (total < this._total) {
      // The run was started again, and so was its log.
      this._windows.clear();
    }
    this._total = total;
    this._ended = ended;
  }

  private _keep(key: number, from: number, lines: readonly string[]): void {
    const before = this._windows.get(key) ?? [];
    this._windows.delete(key);
    this._windows.set(key, [...before.slice(0, from), ...lines]);
    while (this._windows.size > MOST_WINDOWS) {
      this._windows.delete(this._windows.keys().next().value as number);
    }
  }

  private _touch(key: number): void {
    const lines = this._windows.get(key);
    if (lines) {
      this._windows.delete(key);
      this._windows.set(key, lines);
    }
  }

  private _fail(error: unknown): void {
    if (!this.isDisposed) {
      this._error = asApiError(error);
    }
  }

  private readonly _windows = new Map<number, string[]>();
  private readonly _asked = new Set<number>();
  private _wanted: readonly [number, number] = [0, 0];
  private _total = 0;
  private _ended = false;
  private _isReady = false;
  private _isLooking = false;
  private _isFollowing = true;
  private _error: ApiError | null = null;
  private _fetchTimer: ReturnType<typeof setTimeout> | undefined = undefined;
  private _lookTimer: ReturnType<typeof setTimeout> | undefined = undefined;
}
