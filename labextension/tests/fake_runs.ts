/** Runs and a server for tests: what a user's server would answer, without one. */
import type { IDisposable } from '@lumino/disposable';

import type { Api, IListener } from '../src/api';
import type { ILogMatch, ILogWindow, IRun, IRunEvent } from '../src/types';

/** A run as the server sends it. */
export function aRun(id: string, more: Partial<IRun> = {}): IRun {
  return {
    id,
    kind: 'notebook',
    task: '',
    state: 'succeeded',
    notebook: 'work/train.ipynb',
    output: null,
    parameters: {},
    created: 1000,
    started: 1001,
    ended: 1011,
    duration: 10,
    cell: 12,
    cells: 12,
    metrics: {},
    error: null,
    sweep: '',
    point: null,
    retry_of: '',
    attempt: 1,
    place: 'here',
    job: '',
    namespace: '',
    endpoint: '',
    url: '',
    folder: `/records/${id}`,
    output_path: null,
    notebook_path: 'work/train.ipynb',
    is_active: false,
    ...more
  };
}

/** A run that goes on. */
export function anActiveRun(id: string, more: Partial<IRun> = {}): IRun {
  return aRun(id, {
    state: 'running',
    is_active: true,
    ended: null,
    duration: null,
    cell: 3,
    ...more
  });
}

/** A stream that a test speaks for. */
export interface IFakeStream<T, E> extends IDisposable {
  readonly id: string;
  readonly offset: string;
  readonly listener: IListener<T, E>;
}

/** A server that has runs; tests change `all` and speak through the streams. */
export class FakeRuns {
  all: IRun[] = [];
  readonly followed: IFakeStream<IRunEvent, IRun>[] = [];
  readonly actives: IFakeStream<{ runs: IRun[]; changed: number }, never>[] = [];
  lines: string[] = [];
  logRequests: [number, number][] = [];
  logEnded = true;
  /** Lines that one search looks through. */
  step = 100;
  failure: Error | null = null;

  /** The server as the models take it. */
  get api(): Api {
    return this as unknown as Api;
  }

  /** The streams that are open. */
  get open(): IFakeStream<IRunEvent, IRun>[] {
    return this.followed.filter(stream => !stream.isDisposed);
  }

  async runs(wanted: { state?: string; notebook?: string; limit?: number; offset?: number }) {
    await this._answer();
    const { state = '', notebook = '', limit = 100, offset = 0 } = wanted;
    const fits = this.all
      .filter(run => !state || (state === 'active' ? run.is_active : run.state === state))
      .filter(run => !notebook || run.notebook_path === notebook);
    return { runs: fits.slice(offset, offset + limit), total: fits.length };
  }

  async run(id: string) {
    await this._answer();
    return this._known(id);
  }

  async startRun() {
    await this._answer();
    const run = anActiveRun(`new-${this.all.length}`, { created: 9000 });
    this.all.unshift(run);
    return run;
  }

  launch() {
    return this.startRun();
  }

  async cancelRun(id: string) {
    await this._answer();
    const run = aRun(id, { state: 'cancelled' });
    this.all = this.all.map(each => (each.id === id ? run : each));
    return run;
  }

  async retryRun(id: string) {
    await this._answer();
    const run = anActiveRun(`${id}-again`, { retry_of: id, created: 9001 });
    this.all.unshift(run);
    return run;
  }

  async compare(ids: readonly string[]) {
    await this._answer();
    return { runs: ids.map(id => this._known(id)), parameters: ['rate'], metrics: ['loss'] };
  }

  followRun(id: string, listener: IListener<IRunEvent, IRun>, offset = ''): IDisposable {
    return added(this.followed, { id, offset, listener });
  }

  followActive(listener: IListener<{ runs: IRun[]; changed: number }, never>): IDisposable {
    return added(this.actives, { id: '', offset: '', listener });
  }

  async log(_: string, first: number, count: number): Promise<ILogWindow> {
    this.logRequests.push([first, count]);
    await this._answer();
    const lines = this.lines.slice(first, first + count);
    return { first, lines, total: this.lines.length, ended: this.logEnded };
  }

  async searchLog(_: string, text: string, first: number, backward = false): Promise<ILogMatch> {
    await this._answer();
    const way = backward ? -1 : 1;
    for (let line = first; line !== first + way * this.step; line += way) {
      if (line < 0 || line >= this.lines.length) {
        return { line: null, scanned_to: Math.max(0, line) };
      }
      if (this.lines[line]?.toLowerCase().includes(text.toLowerCase())) {
        return { line, scanned_to: line };
      }
    }
    return { line: null, scanned_to: Math.max(0, first + way * this.step) };
  }

  logFileUrl(id: string) {
    return `/runs/${id}/log/file`;
  }

  executedUrl(id: string) {
    return `/runs/${id}/notebook`;
  }

  private _known(id: string): IRun {
    const run = this.all.find(each => each.id === id);
    if (!run) {
      throw new Error(`No run ${id}.`);
    }
    return run;
  }

  private async _answer(): Promise<void> {
    await Promise.resolve();
    if (this.failure) {
      throw this.failure;
    }
  }
}

function added<T, E>(
  streams: IFakeStream<T, E>[],
  stream: Omit<IFakeStream<T, E>, keyof IDisposable>
): IDisposable {
  const made = {
    ...stream,
    isDisposed: false,
    dispose() {
      this.isDisposed = true;
    }
  };
  streams.push(made);
  return made;
}

/** Let promises that wait for nothing but each other come to an end. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}
