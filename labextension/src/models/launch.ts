/** The model of the section 'Launch'. */
import type { IDisposable } from '@lumino/disposable';

import { asApiError, type Api, type ApiError } from '../api';
import type {
  ILaunchRequest,
  IParameter,
  IResolved,
  IRun,
  ISources,
  ITask,
  Json,
  RunKind
} from '../types';
import { Model } from './model';
import type { NotebookLink } from './notebook';
import { typedValue } from './typed_value';
import type { RunWatch } from './run_watch';
import type { RunsModel } from './runs';

/** What is known of a notebook before it is launched. */
interface IKnown {
  readonly tasks: readonly ITask[];
  readonly parameters: readonly IParameter[];
  readonly resolved: IResolved | null;
}

const NOTHING: IKnown = { tasks: [], parameters: [], resolved: null };

/** The model of the section 'Launch'. */
export class LaunchModel extends Model {
  constructor(
    readonly api: Api,
    readonly notebook: NotebookLink,
    readonly sources: () => ISources,
    readonly runs: RunsModel
  ) {
    super();
    notebook.changed.connect(this._onNotebook, this);
  }

  /** What to launch. */
  get kind(): RunKind {
    return this._kind;
  }

  /** The classes and functions of the notebook. */
  get tasks(): readonly ITask[] {
    return this._known.tasks;
  }

  /** Those that can be launched as `kind` says. */
  get possible(): readonly ITask[] {
    return this.tasks.filter(task => this._kind === 'notebook' || isLaunchable(task, this._kind));
  }

  /** The class or function that is launched; empty if there is none. */
  get task(): string {
    const names = this.possible.map(task => task.name);
    return names.includes(this._task) ? this._task : (names[0] ?? '');
  }

  /** The parameters of the notebook that are no settings of this project. */
  get parameters(): readonly IParameter[] {
    return this._known.parameters.filter(parameter => !parameter.is_setting);
  }

  /** What was typed for parameters, by name. */
  get typed(): Readonly<Record<string, string>> {
    return this._typed;
  }

  /** Files that the class needs, as they were typed: one a line. */
  get inputFiles(): string {
    return this._inputFiles;
  }

  /** The settings in force; null before they are known. */
  get resolved(): IResolved | null {
    return this._known.resolved;
  }

  /** Whether the notebook is being looked at. */
  get isLoading(): boolean {
    return this._isLoading;
  }

  /** Whether a launch is being started. */
  get isStarting(): boolean {
    return this._isStarting;
  }

  /** Why the notebook could not be looked at; null if it could. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Why a launch was not started; null if it was. */
  get startError(): ApiError | null {
    return this._startError;
  }

  /** The launch that was started last; null if none was, or it was closed. */
  get launched(): RunWatch | null {
    return this._launched;
  }

  /** Choose what is launched. */
  choose(kind: RunKind): void {
    this._kind = kind;
    this._startError = null;
    this._changed.emit();
  }

  /** Choose the class or function. */
  chooseTask(name: string): void {
    this._task = name;
    this._changed.emit();
  }

  /** Take what was typed for a parameter; nothing leaves it as the notebook has it. */
  type(name: string, text: string): void {
    this._typed = { ...this._typed, [name]: text };
    this._changed.emit();
  }

  /** Take the files that were typed. */
  typeFiles(text: string): void {
    this._inputFiles = text;
    this._changed.emit();
  }

  /** Show a launch where launches are started. */
  show(run: IRun): void {
    this._held?.dispose();
    this._launched = this.runs.watch(run.id);
    this._held = this._launched.hold();
    this._changed.emit();
  }

  /** Close the view of the launch that was started last; the launch keeps running and is in the history. */
  close(): void {
    this._held?.dispose();
    this._held = null;
    this._launched = null;
    this._changed.emit();
  }

  /** Read the notebook and the settings again, if they have changed. */
  async refresh(force = false): Promise<void> {
    const sources = this.sources();
    const key = JSON.stringify(sources);
    if (!force && key === this._key) {
      return;
    }
    this._key = key;
    const turn = ++this._turn;
    const notebook = sources.notebook;
    if (!notebook) {
      this._known = NOTHING;
      this._error = null;
      this._isLoading = false;
      this._changed.emit();
      return;
    }
    this._isLoading = true;
    this._changed.emit();
    const [tasks, parameters, resolved] = await Promise.allSettled([
      this.api.tasks(notebook),
      this.api.parameters(notebook),
      this.api.resolve(sources)
    ]);
    if (turn !== this._turn || this.isDisposed) {
      return;
    }
    this._known = {
      tasks: tasks.status === 'fulfilled' ? tasks.value : [],
      parameters: parameters.status === 'fulfilled' ? parameters.value.parameters : [],
      resolved: resolved.status === 'fulfilled' ? resolved.value : null
    };
    const failed = [tasks, parameters, resolved].find(answer => answer.status === 'rejected');
    this._error = failed ? asApiError(failed.reason) : null;
    this._isLoading = false;
    this._changed.emit();
  }

  /** Save the notebook and launch it, or the class that is chosen; null if that fails or there is no notebook. */
  async start(): Promise<IRun | null> {
    const notebook = this.notebook.path;
    if (this._isStarting || !notebook) {
      return null;
    }
    this._isStarting = true;
    this._startError = null;
    this._changed.emit();
    try {
      await this.notebook.save();
      if (this.isDisposed) {
        return null;
      }
      const run = await this.api.launch(this._request(notebook));
      this.runs.add(run);
      this.show(run);
      return run;
    } catch (error) {
      this._startError = asApiError(error);
      return null;
    } finally {
      this._isStarting = false;
      if (!this.isDisposed) {
        this._changed.emit();
      }
    }
  }

  /** Let everything go. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    this.notebook.changed.disconnect(this._onNotebook, this);
    this._held?.dispose();
  }

  private _request(notebook: string): ILaunchRequest {
    const { profile, values } = this.sources();
    const common = { kind: this._kind, notebook, profile, values };
    if (this._kind !== 'notebook') {
      const files = this._inputFiles.split('\n').map(line => line.trim());
      return { ...common, task: this.task || null, input_files: files.filter(Boolean) };
    }
    const given: Record<string, Json> = {};
    for (const parameter of this.parameters) {
      const text = this._typed[parameter.name];
      if (text !== undefined && text.trim() !== '') {
        given[parameter.name] = typedValue(text, parameter);
      }
    }
    return { ...common, parameters: given };
  }

  private _onNotebook(): void {
    const path = this.notebook.path;
    if (path !== this._path) {
      // What was typed for one notebook says nothing about another.
      this._path = path;
      this._typed = {};
      this._inputFiles = '';
      this._startError = null;
    }
    this._changed.emit();
  }

  private _known: IKnown = NOTHING;
  private _kind: RunKind = 'notebook';
  private _task = '';
  private _typed: Readonly<Record<string, string>> = {};
  private _inputFiles = '';
  private _path = '';
  private _key = '';
  private _turn = 0;
  private _launched: RunWatch | null = null;
  private _held: IDisposable | null = null;
  private _error: ApiError | null = null;
  private _startError: ApiError | null = null;
  private _isLoading = false;
  private _isStarting = false;
}

/** Whether a class or function can be launched in a way. */
export function isLaunchable(task: ITask, kind: RunKind): boolean {
  return kind === 'deploy' ? task.can_deploy : task.can_train;
}
