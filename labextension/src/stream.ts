/** Server-Sent Events read by fetch: with Jupyter's own authentication, and resumed after a break. */

/** One event of a stream. */
export interface IStreamEvent {
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/** What a caller wants of a stream. */
export interface IStreamOptions {
  /** Opens the stream behind an offset; rejects if the server answers with an error. */
  readonly open: (offset: string, signal: AbortSignal) => Promise<Response>;
  /** Gets each event but `end` and `error`. */
  readonly onEvent: (event: IStreamEvent) => void;
  /** Gets the data of `end`: nothing comes after it. */
  readonly onEnd?: (data: string) => void;
  /** Gets the error that ends the stream: of the server, or of the connection. */
  readonly onError?: (error: unknown) => void;
  /** Gets whether the stream is open, or reconnecting. */
  readonly onState?: (connected: boolean) => void;
  /** Where to begin. */
  readonly offset?: string;
}

/** The waits between two attempts, in milliseconds; the last one again and again. */
const WAITS = [250, 500, 1000, 2000, 5000, 10000];
/** Silence after which a connection counts as dead, in milliseconds: three heartbeats. */
const SILENCE = 35000;

/** An error that the server sent as an `error` event. */
export class StreamError extends Error {
  constructor(readonly data: string) {
    super('The event stream ended with an error.');
    this.name = 'StreamError';
  }
}

/** Parse a stream's text, also where it comes in pieces. */
export class EventParser {
  /** Take the next piece; return the events that it completes. */
  push(text: string): IStreamEvent[] {
    this._rest += text;
    const events: IStreamEvent[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this._rest);
      if (!end) {
        return events;
      }
      const line = this._rest.slice(0, end.index);
      this._rest = this._rest.slice(end.index + end[0].length);
      if (line === '') {
        if (this._data.length > 0) {
          events.push({
            id: this._id,
            name: this._name || 'message',
            data: this._data.join('\n')
          });
        }
        this._name = '';
        this._data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) {
        continue;
      }
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') {
        this._data.push(value);
      } else if (field === 'event') {
        this._name = value;
      } else if (field === 'id') {
        this._id = value;
      }
    }
  }

  private _rest = '';
  private _id = '';
  private _name = '';
  private _data: string[] = [];
}

/** Whether an error will come again however often one asks. */
function isFinal(error: unknown): boolean {
  const status = (error as { status?: number } | null)?.status;
  return status !== undefined && status >= 400 && status < 500 && status !== 429;
}

/** Follow a stream to its end, and reconnect after a break. Abort it by `signal`. */
export async function follow(options: IStreamOptions, signal: AbortSignal): Promise<void> {
  let offset = options.offset ?? '';
  let attempt = 0;
  while (!signal.aborted) {
    const dead = new AbortController();
    const abort = () => dead.abort();
    signal.addEventListener('abort', abort);
    let timer = setTimeout(abort, SILENCE);
    try {
      const response = await options.open(offset, dead.signal);
      if (!response.body) {
        throw new TypeError('The server sent no event stream.');
      }
      options.onState?.(true);
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        clearTimeout(timer);
        if (done || signal.aborted) {
          break;
        }
        timer = setTimeout(abort, SILENCE);
        for (const event of parser.push(decoder.decode(value, { stream: true }))) {
          attempt = 0;
          if (event.name === 'end') {
            options.onEnd?.(event.data);
            dead.abort();
            return;
          }
          if (event.name === 'error') {
            options.onError?.(new StreamError(event.data));
            dead.abort();
            return;
          }
          offset = event.id || offset;
          options.onEvent(event);
        }
      }
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (isFinal(error)) {
        options.onError?.(error);
        return;
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
    if (signal.aborted) {
      return;
    }
    options.onState?.(false);
    const wait = WAITS[Math.min(attempt, WAITS.length - 1)];
    attempt += 1;
    await new Promise<void>(resolve => {
      const waiting = setTimeout(resolve, wait);
      signal.addEventListener('abort', () => {
        clearTimeout(waiting);
        resolve();
      });
    });
  }
}
