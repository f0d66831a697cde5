/** The one file that speaks to the server extension. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

import type {
  Answer,
  End,
  FileRoute,
  Given,
  Item,
  Method,
  Names,
  Parts,
  Route,
  StreamRoute
} from './routes';
import { follow, StreamError } from './stream';
import type {
  IComparison,
  IEndpoint,
  IEndpoints,
  IFetched,
  IFetchRequest,
  IFieldError,
  IFillPlan,
  IFillSources,
  ILaunchRequest,
  ILogMatch,
  ILogWindow,
  INotebookSource,
  IParameters,
  IPrediction,
  IProblem,
  IProfile,
  IResolved,
  IRun,
  IRunOutputs,
  IRunRequest,
  IRunsQuery,
  ISchema,
  ISecretChange,
  ISecretsRequest,
  ISecretState,
  ISources,
  ITask,
  Values
} from './types';

/** An error of the server, with what to do about it. */
export class ApiError extends Error {
  /**
   * @param status - The HTTP status; 0 if the server was not reached.
   * @param code - A stable identifier.
   * @param message - What failed, and why.
   * @param hint - What to do next.
   * @param errors - What is wrong with which field.
   * @param options - The error that has led to this one.
   */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    readonly errors: readonly IFieldError[] = [],
    options: ErrorOptions = {}
  ) {
    super(message, options);
    this.name = 'ApiError';
  }
}

/** Receives the items of a stream. */
export interface IListener<T, E> {
  readonly onItem: (item: T, offset: string) => void;
  readonly onEnd?: (end: E) => void;
  readonly onError?: (error: ApiError) => void;
  readonly onState?: (connected: boolean) => void;
}

/** Gets the events of a route. */
export type StreamListener<R extends StreamRoute> = IListener<Item<R>, End<R>>;

/** The routes of the server extension, as functions. */
export class Api {
  constructor(
    private readonly _settings: ServerConnection.ISettings = ServerConnection.makeSettings()
  ) {}

  /** The settings' JSON schema. */
  async schema(): Promise<ISchema> {
    return (await this._send('get', 'settings/schema')).schema;
  }

  /** The settings in force, and what is wrong with them. */
  resolve(sources: ISources): Promise<IResolved> {
    return this._send('post', 'settings/resolve', { body: sources });
  }

  /** All profiles. */
  profiles(): Promise<Answer<'get', 'profiles'>> {
    return this._send('get', 'profiles');
  }

  /** Make a profile, or change some of its values. */
  saveProfile(profile: string, values: Values): Promise<IProfile> {
    return this._send('put', 'profiles/{profile}', { names: { profile }, body: { values } });
  }

  /** Delete a profile. */
  deleteProfile(profile: string): Promise<void> {
    return this._send('delete', 'profiles/{profile}', { names: { profile } });
  }

  /** Choose the profile that counts where none is named. */
  activateProfile(name: string | null): Promise<Answer<'put', 'active-profile'>> {
    return this._send('put', 'active-profile', { body: { name } });
  }

  /** The parameters of a notebook. */
  parameters(notebook: INotebookSource): Promise<IParameters> {
    return this._send('post', 'notebook/parameters', { body: notebook });
  }

  /** What filling a notebook's parameters cell would change. */
  fillPlan(sources: IFillSources): Promise<IFillPlan> {
    return this._send('post', 'notebook/fill-plan', { body: sources });
  }

  /** What of a notebook can be trained or deployed. */
  async tasks(notebook: INotebookSource): Promise<readonly ITask[]> {
    return (await this._send('post', 'notebook/tasks', { body: notebook })).tasks;
  }

  /** Begin to check everything that a launch needs; returns what `followCheck` takes. */
  async startCheck(sources: ISources): Promise<string> {
    return (await this._send('post', 'checks', { body: sources })).id;
  }

  /** Follow a check. */
  followCheck(check: string, listener: StreamListener<'checks/{check}/events'>): IDisposable {
    return this._follow('checks/{check}/events', { check }, listener);
  }

  /** Stop a check. */
  cancelCheck(check: string): Promise<void> {
    return this._send('delete', 'checks/{check}', { names: { check } });
  }

  /** What may be shown of the Secrets. */
  async secretStates(sources: ISources): Promise<readonly ISecretState[]> {
    return (await this._send('post', 'secrets/state', { body: sources })).states;
  }

  /** Make or renew the Secrets. */
  async createSecrets(request: ISecretsRequest): Promise<readonly ISecretChange[]> {
    return (await this._send('post', 'secrets', { body: request })).changes;
  }

  /** Name the registry's Secret in the service account. */
  async attachSecret(sources: ISources): Promise<readonly ISecretChange[]> {
    const body = { sources, dry_run: false };
    return (await this._send('post', 'secrets/attach', { body })).changes;
  }

  /** Runs, the newest first. */
  runs(query: IRunsQuery): Promise<Answer<'get', 'runs'>> {
    return this._send('get', 'runs', { query });
  }

  /** One run. */
  run(id: string): Promise<IRun> {
    return this._send('get', 'runs/{run}', { names: { run: id } });
  }

  /** Run a notebook. */
  startRun(request: IRunRequest): Promise<IRun> {
    return this._send('post', 'runs', { body: request });
  }

  /** Ask a run to stop. */
  cancelRun(id: string): Promise<IRun> {
    return this._send('post', 'runs/{run}/cancel', { names: { run: id } });
  }

  /** Repeat a run. */
  retryRun(id: string, asItWas = false): Promise<IRun> {
    const body = { as_it_was: asItWas };
    return this._send('post', 'runs/{run}/retry', { names: { run: id }, body });
  }

  /** Follow what happens in a run, from an offset on. */
  followRun(id: string, listener: StreamListener<'runs/{run}/events'>, offset = ''): IDisposable {
    return this._follow('runs/{run}/events', { run: id }, listener, offset);
  }

  /** Follow which runs are active. */
  followActive(listener: StreamListener<'active-runs/events'>): IDisposable {
    return this._follow('active-runs/events', {}, listener);
  }

  /** A window of a run's log; lines count from 0, and from the end if `first` is negative. */
  log(id: string, first: number, count: number): Promise<ILogWindow> {
    return this._send('get', 'runs/{run}/log', { names: { run: id }, query: { first, count } });
  }

  /** The next line of a log that holds a text. */
  searchLog(id: string, text: string, first: number, backward = false): Promise<ILogMatch> {
    const query = { text, first, backward };
    return this._send('get', 'runs/{run}/log/search', { names: { run: id }, query });
  }

  /** Where a browser downloads a log. */
  logFileUrl(id: string): string {
    return this._fileUrl('runs/{run}/log/file', { run: id });
  }

  /** Where a browser downloads an executed notebook. */
  executedUrl(id: string): string {
    return this._fileUrl('runs/{run}/notebook', { run: id });
  }

  /** What a run has written. */
  outputs(id: string): Promise<IRunOutputs> {
    return this._send('get', 'runs/{run}/outputs', { names: { run: id } });
  }

  /** Copy files that a run has written to a folder, until it is cancelled. */
  fetchOutputs(id: string, request: IFetchRequest, signal: AbortSignal): Promise<IFetched> {
    const parts = { names: { run: id }, body: request };
    return this._sendUntil(signal, 'post', 'runs/{run}/outputs/fetch', parts);
  }

  /** Where a browser downloads a file that a run has written. */
  outputUrl(id: string, name: string): string {
    return `${this._fileUrl('runs/{run}/outputs/file', { run: id })}${asked({ name })}`;
  }

  /** Put runs beside each other. */
  compare(ids: readonly string[]): Promise<IComparison> {
    return this._send('post', 'runs/compare', { body: { runs: ids } });
  }

  /** Launch a whole notebook, or train or deploy a class of it. */
  launch(request: ILaunchRequest): Promise<IRun> {
    return this._send('post', 'launches', { body: request });
  }

  /** Endpoints. */
  endpoints(sources: ISources): Promise<IEndpoints> {
    return this._send('post', 'endpoints/list', { body: sources });
  }

  /** Ask an endpoint for predictions. */
  predict(endpoint: IEndpoint, sources: ISources, data: string): Promise<IPrediction> {
    const names = { endpoint: endpoint.name };
    return this._send('post', 'endpoints/{endpoint}/predict', { names, body: { sources, data } });
  }

  /** Delete an endpoint. */
  deleteEndpoint(
    endpoint: IEndpoint,
    sources: ISources
  ): Promise<Answer<'post', 'endpoints/{endpoint}/delete'>> {
    const names = { endpoint: endpoint.name };
    return this._send('post', 'endpoints/{endpoint}/delete', { names, body: sources });
  }

  private _url(path: string): string {
    return `${URLExt.join(this._settings.baseUrl, 'fairing-az-jupyter')}/${path}`;
  }

  private _fileUrl<R extends FileRoute>(route: R, names: Names<R>): string {
    return this._url(named(route, names));
  }

  private _send<M extends Method, R extends Route<M>>(
    method: M,
    route: R,
    ...parts: Given<Parts<M, R>>
  ): Promise<Answer<M, R>> {
    return this._sendUntil(undefined, method, route, ...parts);
  }

  private async _sendUntil<M extends Method, R extends Route<M>>(
    signal: AbortSignal | undefined,
    method: M,
    route: R,
    ...[parts]: Given<Parts<M, R>>
  ): Promise<Answer<M, R>> {
    const { names, query, body } = parts ?? {};
    const path = `${named(route, names ?? {})}${asked(query ?? {})}`;
    const text = await (await this._request(method, path, body, signal)).text();
    // The one place where JSON becomes what the document says of it.
    return (text ? JSON.parse(text) : undefined) as Answer<M, R>;
  }

  private async _request(
    method: Method,
    path: string,
    body?: unknown,
    signal?: AbortSignal
  ): Promise<Response> {
    const init: RequestInit = { method: method.toUpperCase(), ...(signal ? { signal } : {}) };
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
        "Jupyter Server can't be reached.",
        'Check that it is running, then try again.',
        [],
        { cause: error }
      );
    }
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }

  private _follow<R extends StreamRoute>(
    route: R,
    names: Names<R>,
    listener: StreamListener<R>,
    offset = ''
  ): IDisposable {
    const controller = new AbortController();
    const path = named(route, names);
    const open = (from: string, signal: AbortSignal) =>
      this._request('get', `${path}${asked({ offset: from })}`, undefined, signal);
    void follow(
      {
        open,
        offset,
        onEvent: event => listener.onItem(JSON.parse(event.data) as Item<R>, event.id),
        onEnd: data => listener.onEnd?.(JSON.parse(data) as End<R>),
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
    const problem = JSON.parse(error.data) as IProblem;
    return new ApiError(500, problem.code, problem.message, problem.hint);
  }
  return new ApiError(0, 'unexpected', error instanceof Error ? error.message : String(error), '');
}

/** A path with its names filled in. */
function named(route: string, names: Readonly<Record<string, string>>): string {
  return route.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(names[name] ?? ''));
}

/** A query as a path ends with it; what is empty is left out. */
function asked(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return text.length ? `?${text.join('&')}` : '';
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const problem = JSON.parse(text) as Partial<IProblem>;
    const message = problem.message || response.statusText;
    return new ApiError(
      response.status,
      problem.code ?? 'http',
      message,
      problem.hint ?? '',
      problem.errors
    );
  } catch {
    return new ApiError(response.status, 'http', `${response.status} ${response.statusText}`, '');
  }
}
