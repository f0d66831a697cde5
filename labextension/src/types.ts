/** What the server's answers hold; the OpenAPI document of the server extension is their source. */

/** A value as JSON knows it. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Values of settings, by field. */
export type Values = Readonly<Record<string, Json>>;

/** A notebook: where it is, and its text as the editor has it; null for the file's. */
export interface INotebookSource {
  readonly path: string;
  readonly content: string | null;
}

/** Where settings come from. */
export interface ISources {
  readonly notebook: INotebookSource | null;
  readonly profile: string | null;
  readonly values: Values;
}

/** One property of the settings' JSON schema. */
export interface IProperty {
  readonly title?: string;
  readonly description?: string;
  readonly group?: string;
  readonly notebook_name?: string;
  readonly type?: string;
  readonly enum?: readonly Json[];
  readonly const?: Json;
  readonly default?: Json;
  readonly examples?: readonly Json[];
  readonly anyOf?: readonly IProperty[];
  readonly $ref?: string;
}

/** The settings' JSON schema. */
export interface ISchema {
  readonly properties: Readonly<Record<string, IProperty>>;
  readonly $defs?: Readonly<Record<string, IProperty>>;
}

/** What is wrong with one field. */
export interface IFieldError {
  readonly field: string;
  readonly message: string;
  readonly hint: string;
  readonly suggestion: string;
}

/** Where the value of one setting comes from. */
export interface IFieldSource {
  readonly field: string;
  readonly notebook_name: string;
  readonly value: Json;
  readonly source: string;
  readonly detail: string;
}

/** The settings in force. */
export interface IResolved {
  readonly values: Values;
  readonly fields: readonly IFieldSource[];
  readonly errors: readonly IFieldError[];
  readonly missing: readonly string[];
}

/** A profile. */
export interface IProfile {
  readonly name: string;
  readonly values: Values;
}

/** All profiles. */
export interface IProfiles {
  readonly active: string | null;
  readonly profiles: readonly IProfile[];
}

/** One parameter of a notebook, as its parameters cell has it. */
export interface IParameter {
  readonly name: string;
  readonly type?: string | null;
  readonly value?: Json;
  readonly help?: string;
  readonly [more: string]: Json | undefined;
}

/** The parameters of a notebook. */
export interface IParameters {
  readonly parameters: readonly IParameter[];
  readonly has_cell: boolean;
}

/** The edit of one cell. */
export interface ICellEdit {
  readonly cell_index: number;
  readonly cell_id: string | null;
  readonly before: string;
  readonly after: string;
  readonly created: boolean;
}

/** What a fill will change. */
export interface IFillPlan {
  readonly changed: boolean;
  readonly before_digest: string;
  readonly edits: readonly ICellEdit[];
  readonly warnings: readonly string[];
  readonly diff: string;
}

/** A class or a function that can be launched. */
export interface ITask {
  readonly task: string;
  readonly name: string;
  readonly kind: 'class' | 'function';
  readonly can_train: boolean;
  readonly can_deploy: boolean;
  readonly reason: string;
}

/** One way to mend what a check has found. */
export interface ICure {
  readonly tool: 'fairing-azure' | 'kubectl' | 'az' | 'text';
  readonly command: string;
  readonly magic?: string;
}

/** How a check has ended. */
export type CheckStatus = 'pass' | 'warn' | 'fail' | 'skipped' | 'unknown';

/** What one check has found. */
export interface ICheckResult {
  readonly check: string;
  readonly title: string;
  readonly status: CheckStatus;
  readonly looked_at: string;
  readonly message: string;
  readonly why: string;
  readonly cures: readonly ICure[];
  readonly mendable: boolean;
  readonly code: string;
  readonly duration: number;
  readonly position: number;
}

/** What became of one object when the secrets were prepared. */
export interface ISecretChange {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly outcome: 'created' | 'updated' | 'unchanged';
  readonly keys: readonly string[];
  readonly note: string;
}

/** What may be shown of one object that a launch needs. */
export interface ISecretState {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly state: 'present' | 'missing' | 'not-allowed';
  readonly type: string;
  readonly keys: readonly string[];
  readonly created: string;
  readonly expires: string;
}

/** Values of secrets on their way to the server; never kept. */
export interface ISecretValues {
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly tenant_id?: string;
  readonly subscription_id?: string;
  readonly expires?: string | null;
}

/** How a run is. */
export type RunState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'lost';

/** What is run. */
export type RunKind = 'notebook' | 'train' | 'deploy';

/** Why a run has failed. */
export interface IRunError {
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  readonly cell?: number;
  readonly source?: string;
  readonly traceback?: readonly string[];
}

/** A run. Times are seconds since 1970, durations are seconds. */
export interface IRun {
  readonly id: string;
  readonly kind: RunKind;
  readonly task: string;
  readonly state: RunState;
  readonly notebook: string;
  readonly output: string | null;
  readonly parameters: Values;
  readonly created: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly duration: number | null;
  readonly cell: number | null;
  readonly cells: number | null;
  readonly metrics: Values;
  readonly error: IRunError | null;
  readonly sweep: string;
  readonly point: number | null;
  readonly retry_of: string;
  readonly attempt: number;
  readonly place: 'here' | 'cluster';
  readonly endpoint: string;
  readonly url: string;
  readonly folder: string;
  readonly output_path: string | null;
  readonly notebook_path: string | null;
  readonly is_active: boolean;
}

/** Runs, the newest first, and how many there are. */
export interface IRuns {
  readonly runs: readonly IRun[];
  readonly total: number;
}

/** Something that happened in a run. */
export interface IRunEvent {
  readonly kind:
    | 'run-started'
    | 'cell-started'
    | 'output'
    | 'metric'
    | 'phase'
    | 'pod-event'
    | 'endpoint'
    | 'cell-finished'
    | 'cell-retried'
    | 'cell-failed'
    | 'run-finished'
    | 'run-failed'
    | 'run-cancelled';
  readonly time: number;
  readonly cell?: number;
  readonly cells?: number;
  readonly stream?: 'stdout' | 'stderr' | 'display';
  readonly text?: string;
  readonly duration?: number;
  readonly message?: string;
  readonly name?: string;
  readonly value?: Json;
}

/** A window of a run's log. */
export interface ILogWindow {
  readonly first: number;
  readonly lines: readonly string[];
  readonly total: number;
  readonly ended: boolean;
}

/** Where a text was found in a log, and up to which line was looked. */
export interface ILogMatch {
  readonly line: number | null;
  readonly scanned_to: number;
}

/** An endpoint. */
export interface IEndpoint {
  readonly name: string;
  readonly state: string;
  readonly place: 'here' | 'cluster';
  readonly namespace: string;
  readonly url: string;
  readonly public: boolean;
  readonly created: string;
  readonly detail: string;
  readonly image: string;
  readonly owner: string;
  readonly run: string;
}

/** Endpoints, and why some could not be asked for. */
export interface IEndpoints {
  readonly endpoints: readonly IEndpoint[];
  readonly note: string;
}

/** What an endpoint has answered. */
export interface IPrediction {
  readonly endpoint: string;
  readonly url: string;
  readonly values: readonly Json[];
  readonly latency: number;
  readonly status: number;
}
