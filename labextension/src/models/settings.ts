/** The model of the section 'Settings': what the user typed, and what the server makes of it. */

import { asApiError, type Api, type ApiError } from '../api';
import type {
  IFieldError,
  IFieldSource,
  IParameters,
  IResolved,
  ISchema,
  ISources,
  Json,
  Values
} from '../types';
import { FillModel, type FillOutcome } from './fill';
import { Model } from './model';
import type { NotebookLink } from './notebook';
import { ProfilesModel } from './profiles';

/** The delay after the last edit before the server is asked, in milliseconds. */
const DEBOUNCE = 250;

/** The sources whose values a profile takes over: what somebody has chosen. */
const CHOSEN = new Set(['argument', 'parameters cell', 'environment', 'profile']);

/** The model of the section 'Settings'. */
export class SettingsModel extends Model {
  constructor(
    readonly api: Api,
    readonly notebook: NotebookLink
  ) {
    super();
    this.profiles = new ProfilesModel(api);
    this.fill = new FillModel(api, notebook, () => this.sources());
    this.profiles.valuesChanged.connect(this.refresh, this);
    this._shown = this._owner;
    this._state = this._notebookState();
    notebook.changed.connect(this._onNotebook, this);
  }

  /** The profiles. */
  readonly profiles: ProfilesModel;

  /** What will change in the notebook. */
  readonly fill: FillModel;

  /** What the form is made from; null until it is loaded. */
  get schema(): ISchema | null {
    return this._schema;
  }

  /** The settings in force; null until the server has said so. */
  get resolved(): IResolved | null {
    return this._resolved;
  }

  /** The parameters of the notebook; null if none is open or it can't be read. */
  get parameters(): IParameters | null {
    return this._parameters;
  }

  /** Why the parameters can't be read. */
  get parametersError(): ApiError | null {
    return this._parametersError;
  }

  /** Why there is no form, or why nothing is known of the settings in force. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether the server is being asked. */
  get isBusy(): boolean {
    return this._isBusy;
  }

  /** What the user typed, by field. It belongs to the notebook that it was typed for. */
  get typed(): Values {
    return this._typed.get(this._owner) ?? {};
  }

  /** Whether the server is asked when something changes; not while nobody sees the panel. */
  get isActive(): boolean {
    return this._isActive;
  }
  set isActive(active: boolean) {
    if (active !== this._isActive) {
      this._isActive = active;
      if (active && this._isStale) {
        this.refresh();
      }
    }
  }

  /** Where settings come from. */
  sources(): ISources {
    return {
      notebook: this.notebook.source(),
      profile: this.profiles.chosen,
      values: this.typed
    };
  }

  /** What the form shows for a field: what was typed, else the value in force. */
  value(field: string): Json {
    const typed = this.typed[field];
    return typed !== undefined ? typed : (this._resolved?.values[field] ?? null);
  }

  /** Where a field's value comes from; null as long as that is not known. */
  source(field: string): IFieldSource | null {
    return this._resolved?.fields.find(each => each.field === field) ?? null;
  }

  /** What is wrong with a field. */
  errorOf(field: string): IFieldError | null {
    return this._resolved?.errors.find(each => each.field === field) ?? null;
  }

  /** Whether something that was typed can't be used: nothing can be filled in before it is corrected. */
  get isTypedWrong(): boolean {
    return this._resolved?.errors.some(each => each.field in this.typed) ?? false;
  }

  /** Take what the user typed. */
  set(field: string, value: Json): void {
    this._type({ ...this.typed, [field]: value });
  }

  /** Discard what the user typed into a field: the next source's value is in force. */
  reset(field: string): void {
    const { [field]: _gone, ...rest } = this.typed;
    this._type(rest);
  }

  /** Discard everything that the user typed. */
  resetAll(): void {
    this._type({});
  }

  /**
   * Ask for the values that a profile made from the form gets: what somebody has chosen, not what is so by default.
   *
   * The server is asked now: what it said last may be older than what was typed since.
   */
  async profileValues(): Promise<Values> {
    const typed = this.typed;
    const { fields } = await this.api.resolve(this.sources());
    const chosen = fields.filter(each => CHOSEN.has(each.source));
    // Invalid values go along, so that the server rejects them and they are not silently left out.
    return {
      ...Object.fromEntries(chosen.map(each => [each.field, each.value])),
      ...typed
    };
  }

  /** Load the form and the profiles, and ask for the settings in force. */
  async load(): Promise<void> {
    this._error = null;
    this._isBusy = true;
    this._changed.emit();
    try {
      this._schema = await this.api.schema();
    } catch (error) {
      this._error = asApiError(error);
    }
    if (this.isDisposed) {
      return;
    }
    this._isBusy = false;
    this._changed.emit();
    if (this._schema) {
      await this.profiles.load();
    }
  }

  /** Ask the server again, once no edit has come for a moment. */
  refresh(): void {
    clearTimeout(this._timer);
    this._isStale = true;
    // From now on no answer counts that was asked for before.
    this._turn += 1;
    if (this._isActive && !this.isDisposed) {
      this._timer = setTimeout(() => void this.update(), DEBOUNCE);
    }
  }

  /** Ask the server now for the settings in force, the parameters and the plan. */
  async update(): Promise<void> {
    clearTimeout(this._timer);
    this._isStale = false;
    const turn = ++this._turn;
    this._isBusy = true;
    this._changed.emit();
    const sources = this.sources();
    const [resolved, parameters] = await Promise.allSettled([
      this.api.resolve(sources),
      sources.notebook ? this.api.parameters(sources.notebook) : Promise.resolve(null)
    ]);
    if (turn !== this._turn || this.isDisposed) {
      return;
    }
    this._isBusy = false;
    this._error = null;
    if (resolved.status === 'fulfilled') {
      this._resolved = resolved.value;
    } else {
      this._error = asApiError(resolved.reason);
    }
    this._parameters = parameters.status === 'fulfilled' ? parameters.value : null;
    this._parametersError = parameters.status === 'rejected' ? asApiError(parameters.reason) : null;
    this._changed.emit();
    if (this.isTypedWrong) {
      this.fill.clear();
    } else {
      await this.fill.update();
    }
  }

  /**
   * Fill the notebook's parameters cell with the settings.
   *
   * @param seen - Whether the user has seen what will change.
   */
  async apply(seen = false): Promise<FillOutcome> {
    const outcome = await this.fill.apply(seen);
    // An undo at once leaves the notebook as it was before: that has to count as a change as well.
    this._state = '';
    return outcome;
  }

  /** Let everything go. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    clearTimeout(this._timer);
    this.notebook.changed.disconnect(this._onNotebook, this);
    this.fill.dispose();
    this.profiles.dispose();
  }

  private _notebookState(): string {
    return `${this.notebook.path} ${this.notebook.isReady} ${this.notebook.state()}`;
  }

  private get _owner(): object {
    return this.notebook.panel ?? this;
  }

  private _type(values: Values): void {
    this._typed.set(this._owner, values);
    this._changed.emit();
    this.refresh();
  }

  private _onNotebook(): void {
    const owner = this._owner;
    if (owner !== this._shown) {
      this._shown = owner;
      this._parameters = null;
      this._parametersError = null;
      this._resolved = null;
      this.fill.clear();
    }
    this._changed.emit();
    const state = this._notebookState();
    if (state !== this._state) {
      // Outputs come in all the time while a cell runs: they are nothing that settings could come from.
      this._state = state;
      this.refresh();
    }
  }

  private readonly _typed = new WeakMap<object, Values>();
  private _shown: object;
  private _state: string;
  private _schema: ISchema | null = null;
  private _resolved: IResolved | null = null;
  private _parameters: IParameters | null = null;
  private _parametersError: ApiError | null = null;
  private _error: ApiError | null = null;
  private _isBusy = false;
  private _isActive = true;
  private _isStale = true;
  private _turn = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined = undefined;
}
