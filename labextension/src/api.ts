/** The one file that speaks to the server extension. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

import { follow, StreamError } from './stream';
import type {
  ICheckResult,
  IEndpoint,
  IEndpoints,
  IFieldError,
  IFillPlan,
  ILogMatch,
  ILogWindow,
  INotebookSource,
  IParameters,
  IPrediction,
  IProfile,
  IProfiles,
  IResolved,
  IRun,
  IRunEvent,
  IRuns,
  ISchema,
  ISecretChange,
  ISecretState,
  ISecretValues,
  ISources,
  ITask,
  Json,
  RunKind,
  Values
} from './types';

/** What the server refuses, with what to do about it. */
export class ApiError extends Error {
  /**
   * @param status - The HTTP status; 0 if the server was not reached.
   * @param code - A stable identifier.
   * @param message - What failed, and why.
   * @param hint - What to do next.
   * @param errors - What is wrong with which field.
   */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    readonly errors: readonly IFieldError[] = []
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Gets what a stream tells. */
export interface IListener<T, E> {
  readonly onItem: (item: T, offset: string) => void;
  readonly onEnd?: (end: E) => void;
  readonly onError?: (error: ApiError) => void;
  readonly onState?: (connected: boolean) => void;
}

/** What is launched. */
export interface ILaunchRequest {
  readonly kind: RunKind;
  readonly notebook: string;
  readonly task?: string | null;
  readonly input_files?: readonly string[];
  readonly values?: Values;
  readonly profile?: string | null;
  readonly parameters?: Values;
  readonly deadline?: number | null;
}

/** What is run. */
export interface IRunRequest {
  readonly notebook: string;
  readonly parameters?: Values;
  readonly profile?: string | null;
  readonly values?: Values;
  readonly output?: string | null;
  readonly cell_timeout?: number | null;
  readonly deadline?: number | null;
}

/** The routes of the server extension, as functions. */
export class Api {
  constructor(
    private readonly _settings: ServerConnection.ISettings = ServerConnection.makeSettings()
  ) {}

  /** The settings' JSON schema. */
  async schema(): Promise<ISchema> {
    return (await this._get<{ schema: ISchema }>('settings/schema')).schema;
  }

  /** The settings in force, and what is wrong with them. */
  resolve(sources: ISources): Promise<IResolved> {
    return this._send('POST', 'settings/resolve', sources);
  }

  /** All profiles. */
  profiles(): Promise<IProfiles> {
    return this._get('profiles');
  }

  /** Make a profile, or change some of its values. */
  saveProfile(name: string, values: Values): Promise<IProfile> {
    return this._send('PUT', `profiles/${encodeURIComponent(name)}`, { values });
  }

  /** Delete a profile. */
  deleteProfile(name: string): Promise<void> {
    return this._send('DELETE', `profiles/${encodeURIComponent(name)}`);
  }

  /** Choose the profile that counts where none is named. */
  activateProfile(name: string | null): Promise<{ active: string | null }> {
    return this._send('PUT', 'active-profile', { name });
  }

  /** The parameters of a notebook. */
  parameters(notebook: INotebookSource): Promise<IParameters> {
    return this._send('POST', 'notebook/parameters', notebook);
  }

  /** What filling a notebook's parameters cell would change. */
  fillPlan(sources: ISources): Promise<IFillPlan> {
    return this._send('POST', 'notebook/fill-plan', sources);
  }

  /** What of a notebook can be trained or deployed. */
  async tasks(notebook: INotebookSource): Promise<readonly ITask[]> {
    const found = await this._send<{ tasks: ITask[] }>('POST', 'notebook/tasks', notebook);
    return found.tasks;
  }

  /** Begin to check everything that a launch needs; returns what `followCheck` takes. */
  async startCheck(sources: ISources): Promise<string> {
    return (await this._send<{ id: string }>('POST', 'checks', sources)).id;
  }

  /** Follow a check. */
  followCheck(
    id: string,
    listener: IListener<ICheckResult, { status: string; count: number }>
  ): IDisposable {
    return this._follow(`checks/${id}/events`, listener);
  }

  /** Stop a check. */
  cancelCheck(id: string): Promise<void> {
    return this._send('DELETE', `checks/${id}`);
  }

  /** What may be shown of the Secrets. */
  async secretStates(sources: ISources): Promise<readonly ISecretState[]> {
    const found = await this._send<{ states: ISecretState[] }>('POST', 'secrets/state', sources);
    return found.states;
  }

  /** Make or renew the Secrets. */
  async createSecrets(request: {
    readonly sources: ISources;
    readonly azure?: boolean;
    readonly acr?: boolean;
    readonly only_secret?: boolean;
    readonly replace?: boolean;
    readonly dry_run?: boolean;
    readonly values: ISecretValues;
  }): Promise<readonly ISecretChange[]> {
    return (await this._send<{ changes: ISecretChange[] }>('POST', 'secrets', request)).changes;
  }

  /** Name the registry's Secret in the service account. */
  async attachSecret(sources: ISources): Promise<readonly ISecretChange[]> {
    const body = { sources, dry_run: false };
    return (await this._send<{ changes: ISecretChange[] }>('POST', 'secrets/attach', body)).changes;
  }

  /** Runs, the newest first. */
  runs(wanted: {
    readonly state?: string;
    readonly notebook?: string;
    readonly limit?: number;
    readonly offset?: number;
  }): Promise<IRuns> {
    return this._get(`runs${query(wanted)}`);
  }

  /** One run. */
  run(id: string): Promise<IRun> {
    return this._get(`runs/${encodeURIComponent(id)}`);
  }

  /** Run a notebook. */
  startRun(request: IRunRequest): Promise<IRun> {
    return this._send('POST', 'runs', request);
  }

  /** Ask a run to stop. */
  cancelRun(id: string): Promise<IRun> {
    return this._send('POST', `runs/${encodeURIComponent(id)}/cancel`, {});
  }

  /** Repeat a run. */
  retryRun(id: string, asItWas = false): Promise<IRun> {
    return this._send('POST', `runs/${encodeURIComponent(id)}/retry`, { as_it_was: asItWas });
  }

  /** Follow what happens in a run, from an offset on. */
  followRun(id: string, listener: IListener<IRunEvent, IRun>, offset = ''): IDisposable {
    return this._follow(`runs/${encodeURIComponent(id)}/events`, listener, offset);
  }

  /** Follow which runs are active. */
  followActive(listener: IListener<{ runs: IRun[]; changed: number }, never>): IDisposable {
    return this._follow('active-runs/events', listener);
  }

  /** A window of a run's log; lines count from 0, and from the end if `first` is negative. */
  log(id: string, first: number, count: number): Promise<ILogWindow> {
    return this._get(`runs/${encodeURIComponent(id)}/log${query({ first, count })}`);
  }

  /** The next line of a log that holds a text. */
  searchLog(id: string, text: string, first: number, backward = false): Promise<ILogMatch> {
    const wanted = { text, first, backward };
    return this._get(`runs/${encodeURIComponent(id)}/log/search${query(wanted)}`);
  }

  /** Where a browser downloads a log. */
  logFileUrl(id: string): string {
    return this._url(`runs/${encodeURIComponent(id)}/log/file`);
  }

  /** Where a browser downloads an executed notebook. */
  executedUrl(id: string): string {
    return this._url(`runs/${encodeURIComponent(id)}/notebook`);
  }

  /** Put runs beside each other. */
  compare(ids: readonly string[]): Promise<{ readonly [name: string]: Json }> {
    return this._send('POST', 'runs/compare', { runs: ids });
  }

  /** Launch a whole notebook, or train or deploy a class of it. */
  launch(request: ILaunchRequest): Promise<IRun> {
    return this._send('POST', 'launches', request);
  }

  /** Endpoints. */
  endpoints(sources: ISources): Promise<IEndpoints> {
    return this._send('POST', 'endpoints/list', sources);
  }

  /** Ask an endpoint for predictions. */
  predict(endpoint: IEndpoint, sources: ISources, data: string): Promise<IPrediction> {
    const name = encodeURIComponent(endpoint.name);
    return this._send('POST', `endpoints/${name}/predict`, { sources, data });
  }

  /** Delete an endpoint. */
  deleteEndpoint(endpoint: IEndpoint, sources: ISources): Promise<{ deleted: string }> {
    return this._send('POST', `endpoints/${encodeURIComponent(endpoint.name)}/delete`, sources);
  }

  private _url(path: string): string {
    return `${URLExt.join(this._settings.baseUrl, 'fairing-az-jupyter')}/${path}`;
  }

  private _get<T>(path: string): Promise<T> {
    return this._send('GET', path);
  }

  private async _send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this._request(method, path, body);
    const text = await response.text();
    return (text ? JSON.parse(text) : undefined) as T;
  }

  private async _request(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal
  ): Promise<Response> {
    const init: RequestInit = { method, ...(signal ? { signal } : {}) };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { 'Content-Type': 'application/json' };
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(this._url(path), init, this._settings);
    } catch (error) {
      throw new ApiError(
        0,
        'unreachable',
        `Jupyter Server can't be reached (${String(error)}).`,
        ''
      );
    }
    if (!response.ok) {
      throw await refusal(response);
    }
    return response;
  }

  private _follow<T, E>(path: string, listener: IListener<T, E>, offset = ''): IDisposable {
    const controller = new AbortController();
    const open = (from: string, signal: AbortSignal) =>
      this._request('GET', `${path}${query(from ? { offset: from } : {})}`, undefined, signal);
    void follow(
      {
        open,
        offset,
        onEvent: event => listener.onItem(JSON.parse(event.data) as T, event.id),
        onEnd: data => listener.onEnd?.(JSON.parse(data) as E),
        onError: error => listener.onError?.(asApiError(error)),
        onState: connected => listener.onState?.(connected)
      },
      controller.signal
    );
    return {
      get isDisposed() {
        return controller.signal.aborted;
      },
      dispose: () => controller.abort()
    };
  }
}

/** Return any error as one that a user can read. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  if (error instanceof StreamError) {
    const told = JSON.parse(error.data) as { code: string; message: string; hint: string };
    return new ApiError(500, told.code, told.message, told.hint);
  }
  return new ApiError(0, 'unexpected', error instanceof Error ? error.message : String(error), '');
}

function query(wanted: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const pairs = Object.entries(wanted).filter(([, value]) => value !== undefined && value !== '');
  const text = pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return text.length ? `?${text.join('&')}` : '';
}

async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const told = JSON.parse(text) as {
      code?: string;
      message?: string;
      hint?: string;
      errors?: IFieldError[];
    };
    const message = told.message || response.statusText;
    return new ApiError(
      response.status,
      told.code ?? 'http',
      message,
      told.hint ?? '',
      told.errors
    );
  } catch {
    return new ApiError(response.status, 'http', `${response.status} ${response.statusText}`, '');
  }
}
