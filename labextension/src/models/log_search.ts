/** The search in a log: the server looks through it step by step, so that it can be seen and stopped. */

import { asApiError, type Api, type ApiError } from '../api';
import { Model } from './model';

/** What is searched through. */
export interface ISearched {
  readonly id: string;
  readonly total: number;
}

/** How a search is. */
export type SearchState = 'idle' | 'searching' | 'found' | 'wrapped' | 'nothing' | 'failed';

/** The search in one log. */
export class LogSearch extends Model {
  constructor(
    private readonly _api: Pick<Api, 'searchLog'>,
    private readonly _log: ISearched
  ) {
    super();
  }

  /** What is searched for; empty if nothing is. */
  get text(): string {
    return this._text;
  }

  /** How it is; `wrapped` is a match after wrapping around. */
  get state(): SearchState {
    return this._state;
  }

  /** The line that was found last, from 0; null if none. */
  get line(): number | null {
    return this._line;
  }

  /** How many lines it has looked through. */
  get scanned(): number {
    return this._scanned;
  }

  /** Why it has failed; null if it has not. */
  get error(): ApiError | null {
    return this._error;
  }

  /**
   * Search for a text, from the last match on; wraps around at the end of the log.
   *
   * @param text - What to search for; another one than before is searched for from `from` on.
   * @param backward - Whether to go towards the log's start.
   * @param from - Where to begin with a new text; lines count from 0.
   */
  async find(text: string, backward = false, from = 0): Promise<void> {
    const turn = ++this._turn;
    const isNew = text !== this._text;
    this._text = text;
    this._error = null;
    this._scanned = 0;
    if (!text) {
      this._line = null;
      this._set('idle');
      return;
    }
    const last = isNew ? null : this._line;
    const begin = last === null ? from : backward ? last - 1 : last + 1;
    this._set('searching');
    try {
      let line = await this._pass(turn, begin, backward);
      let state: SearchState = 'found';
      const isWhole = backward ? begin >= this._log.total - 1 : begin <= 0;
      if (line === null && !isWhole) {
        line = await this._pass(turn, backward ? this._log.total - 1 : 0, backward, begin);
        state = 'wrapped';
      }
      if (turn === this._turn) {
        this._line = line;
        this._set(line === null ? 'nothing' : state);
      }
    } catch (error) {
      if (turn === this._turn) {
        this._error = asApiError(error);
        this._set('failed');
      }
    }
  }

  /** Stop searching; what was found last stays. */
  cancel(): void {
    if (this._state === 'searching') {
      this._turn += 1;
      this._set('idle');
    }
  }

  /** Let everything go. */
  override dispose(): void {
    super.dispose();
    this._turn += 1;
  }

  /** Go through the log from a line to its end, or as far as `until`; returns the line, or null. */
  private async _pass(
    turn: number,
    begin: number,
    backward: boolean,
    until?: number
  ): Promise<number | null> {
    let first = begin;
    while (turn === this._turn && first >= 0 && first < this._log.total) {
      const { line, scanned_to } = await this._api.searchLog(
        this._log.id,
        this._text,
        first,
        backward
      );
      if (line !== null) {
        return line;
      }
      // A server that does not come further must not be asked for ever.
      const isFurther = backward ? scanned_to < first : scanned_to > first;
      const isDone = until !== undefined && (backward ? scanned_to < until : scanned_to > until);
      if (!isFurther || isDone || turn !== this._turn) {
        return null;
      }
      this._scanned += Math.abs(scanned_to - first);
      first = scanned_to;
      this._changed.emit();
    }
    return null;
  }

  private _set(state: SearchState): void {
    this._state = state;
    if (!this.isDisposed) {
      this._changed.emit();
    }
  }

  private _text = '';
  private _state: SearchState = 'idle';
  private _line: number | null = null;
  private _scanned = 0;
  private _turn = 0;
  private _error: ApiError | null = null;
}
