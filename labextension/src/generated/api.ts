/**
 * The types of requests, answers and events, as docs/openapi.json describes them.
 *
 * Made by `npm run generate`; do not edit.
 */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | {
      readonly [name: string]: Json;
    };
export type paths = {
  readonly '/fairing-az-jupyter/settings/schema': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Describe every setting */
    readonly get: operations['settings_schema'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/settings/resolve': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Tell the settings in force, and what is wrong with them */
    readonly post: operations['settings_resolve'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/profiles': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** List the profiles */
    readonly get: operations['settings_profiles'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/profiles/{profile}': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    /** Make a profile, or change values of one */
    readonly put: operations['settings_save_profile'];
    readonly post?: never;
    /** Delete a profile */
    readonly delete: operations['settings_delete_profile'];
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/active-profile': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    /** Choose the profile in use */
    readonly put: operations['settings_activate_profile'];
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/notebook/parameters': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** List a notebook's parameters */
    readonly post: operations['notebooks_describe'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/notebook/fill-plan': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Plan how to fill a notebook's parameters cell */
    readonly post: operations['notebooks_fill_plan'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/notebook/tasks': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** List what can be trained or deployed of a notebook */
    readonly post: operations['notebooks_tasks'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/checks': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Check everything that a launch needs */
    readonly post: operations['checks_start'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/checks/{check}/events': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Follow a check */
    readonly get: operations['checks_events'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/checks/{check}': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    readonly post?: never;
    /** Cancel and forget a check */
    readonly delete: operations['checks_cancel'];
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/secrets/state': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Tell what there is of the Secrets, without values */
    readonly post: operations['secrets_state'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/secrets': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Make the Secrets, or renew them */
    readonly post: operations['secrets_create'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/secrets/attach': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Name the registry's Secret in the service account */
    readonly post: operations['secrets_attach'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** List runs */
    readonly get: operations['runs_listed'];
    readonly put?: never;
    /** Run a notebook */
    readonly post: operations['launches_run'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/compare': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Compare runs */
    readonly post: operations['runs_compare'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Describe a run */
    readonly get: operations['runs_described'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/cancel': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Ask a run to stop */
    readonly post: operations['runs_cancel'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/retry': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Repeat a run */
    readonly post: operations['launches_retry'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/events': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Follow a run */
    readonly get: operations['runs_events'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/log': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Read lines of a log */
    readonly get: operations['run_logs_window'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/log/search': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Search a log */
    readonly get: operations['run_logs_search'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/log/file': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Download a log */
    readonly get: operations['run_logs_file'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/notebook': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Download the executed notebook */
    readonly get: operations['run_logs_notebook'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/outputs': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** List what a run has written */
    readonly get: operations['outputs_listed'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/outputs/fetch': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Copy files that a run has written to its notebook's folder */
    readonly post: operations['outputs_fetch'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/runs/{run}/outputs/file': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Download a file that a run has written */
    readonly get: operations['outputs_file'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/cluster-launches': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** List the trainings of the namespace, also those of other notebook servers */
    readonly post: operations['runs_in_cluster'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/active-runs/events': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Follow which runs are active */
    readonly get: operations['runs_active_events'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/launches': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Launch a notebook, a training or an endpoint */
    readonly post: operations['launches_launch'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/endpoints/list': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** List endpoints */
    readonly post: operations['endpoints_listed'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/endpoints/{endpoint}/predict': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Ask an endpoint for predictions */
    readonly post: operations['endpoints_predict'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/endpoints/{endpoint}/delete': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Delete an endpoint */
    readonly post: operations['endpoints_delete'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/endpoints/{endpoint}/log': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Follow what an endpoint prints */
    readonly post: operations['endpoints_log'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/openapi.json': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    /** Describe this interface */
    readonly get: operations['documents_openapi'];
    readonly put?: never;
    readonly post?: never;
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/operations/status': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Show what was launched in the cluster: jobs, endpoints, builds */
    readonly post: operations['commands_status'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
  readonly '/fairing-az-jupyter/operations/delete': {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly get?: never;
    readonly put?: never;
    /** Delete jobs, endpoints or builds, and everything created with them */
    readonly post: operations['commands_delete'];
    readonly delete?: never;
    readonly options?: never;
    readonly head?: never;
    readonly patch?: never;
    readonly trace?: never;
  };
};
export type webhooks = Record<string, never>;
export type components = {
  schemas: {
    /**
     * Active
     * @description The profile in use.
     */
    readonly Active: {
      readonly active: string | null;
    };
    /**
     * ActiveProfile
     * @description The profile to use; null for none.
     */
    readonly ActiveProfile: {
      readonly name: string | null;
    };
    /**
     * ActiveRuns
     * @description The runs that are waiting or running; `changed` grows whenever anything has changed.
     */
    readonly ActiveRuns: {
      readonly runs: readonly components['schemas']['RunView'][];
      readonly changed: number;
    };
    /**
     * AttachRequest
     * @description The service account that is to name the registry's Secret.
     */
    readonly AttachRequest: {
      /**
       * @default {
       *       "notebook": null,
       *       "profile": null,
       *       "values": {}
       *     }
       */
      readonly sources?: components['schemas']['Sources'];
      /** @default false */
      readonly dry_run?: boolean;
    };
    /**
     * CellChange
     * @description The edit of one cell.
     */
    readonly CellChange: {
      readonly cell_index: number;
      readonly cell_id: string | null;
      readonly before: string;
      readonly after: string;
      readonly created: boolean;
    };
    /**
     * Changes
     * @description What became of the Secrets and the service account.
     */
    readonly Changes: {
      readonly changes: readonly components['schemas']['SecretChange'][];
    };
    /**
     * CheckEnd
     * @description How a check has ended.
     */
    readonly CheckEnd: {
      /** @enum {string} */
      readonly status: 'pass' | 'warn' | 'fail' | 'unknown';
      readonly count: number;
    };
    /**
     * CheckResult
     * @description What one check has found.
     */
    readonly CheckResult: {
      readonly check: string;
      readonly title: string;
      /** @enum {string} */
      readonly status: 'pass' | 'warn' | 'fail' | 'skipped' | 'unknown';
      readonly looked_at: string;
      readonly message: string;
      /** @default  */
      readonly why: string;
      /** @default [] */
      readonly fixes: readonly components['schemas']['Fix'][];
      /** @default false */
      readonly fixable: boolean;
      /** @default  */
      readonly code: string;
      /** @default 0 */
      readonly duration: number;
      /** @default 0 */
      readonly position: number;
    };
    /**
     * CheckStarted
     * @description A check that was started.
     */
    readonly CheckStarted: {
      readonly id: string;
    };
    /**
     * ClusterLaunch
     * @description A training of the namespace, whoever has launched it: as its Job says, or what was noted beside its files.
     *
     *     Args:
     *         name: Its Job's name, by which its files are fetched.
     *         state: `pending`, `running`, `succeeded`, `failed`, `cancelled`; `ended` where nobody has noted how, and `lost`
     *             where its Job is gone before all of its files were there.
     *         task: The class or function; empty where it is not known.
     *         label: What its user calls it; empty for nothing.
     *         owner: The notebook server that has launched it, or the user.
     *         own: Whether that is the asking one.
     *         notebook: The file name of the notebook, or of the Python file.
     *         run: The record of its launch, wherever that is.
     *         sweep: The sweep that it belongs to; empty if to none.
     *         namespace: Its namespace.
     *         image: The image that it runs.
     *         image_digest: The digest of that image's manifest.
     *         created: When it was launched, in seconds since 1970-01-01 UTC.
     *         ended: When it ended; None before, and where nobody has noted it.
     *         raised: The type and the message of what it has raised; empty for nothing.
     *         files: How many files of it are kept; None where that is not known.
     *         size: Their bytes likewise.
     */
    readonly ClusterLaunch: {
      readonly name: string;
      readonly state: string;
      /** @default  */
      readonly task: string;
      /** @default  */
      readonly label: string;
      /** @default  */
      readonly owner: string;
      /** @default false */
      readonly own: boolean;
      /** @default  */
      readonly notebook: string;
      /** @default  */
      readonly run: string;
      /** @default  */
      readonly sweep: string;
      /** @default  */
      readonly namespace: string;
      /** @default  */
      readonly image: string;
      /** @default  */
      readonly image_digest: string;
      /** @default 0 */
      readonly created: number;
      /** @default null */
      readonly ended: number | null;
      /** @default  */
      readonly raised: string;
      /** @default null */
      readonly files: number | null;
      /** @default null */
      readonly size: number | null;
    };
    /**
     * ClusterLaunches
     * @description The trainings of a namespace, whoever has launched them, the newest first; `notes` tell what is not shown.
     */
    readonly ClusterLaunches: {
      readonly launches: readonly components['schemas']['ClusterLaunch'][];
      readonly notes: readonly string[];
    };
    /**
     * CompareRequest
     * @description The runs to put beside each other.
     */
    readonly CompareRequest: {
      readonly runs: readonly string[];
    };
    /**
     * DeleteOperation
     * @description Delete jobs, endpoints or builds, and everything created with them.
     */
    readonly DeleteOperation: {
      /**
       * @default {
       *       "notebook": null,
       *       "profile": null,
       *       "values": {}
       *     }
       */
      readonly sources?: components['schemas']['Sources'];
      /** @description The launch, as status names it. */
      readonly names: readonly string[];
    };
    /**
     * Deleted
     * @description What was deleted.
     */
    readonly Deleted: {
      readonly deleted: string;
    };
    /**
     * Endpoint
     * @description An endpoint.
     */
    readonly Endpoint: {
      readonly name: string;
      /** @enum {string} */
      readonly state:
        | 'pending'
        | 'running'
        | 'succeeded'
        | 'failed'
        | 'ready'
        | 'stopped'
        | 'deleting'
        | 'broken';
      /** @enum {string} */
      readonly place: 'here' | 'cluster';
      readonly namespace: string;
      readonly url: string;
      readonly public: boolean;
      readonly created: string;
      readonly detail: string;
      readonly image: string;
      readonly owner: string;
      readonly run: string;
    };
    /**
     * EndpointLine
     * @description One line that a pod of an endpoint has printed.
     */
    readonly EndpointLine: {
      readonly pod: string;
      readonly container: string;
      readonly text: string;
    };
    /**
     * EndpointLogEnd
     * @description Nothing more is printed.
     */
    readonly EndpointLogEnd: Record<string, never>;
    /**
     * Endpoints
     * @description All endpoints; `note` says why the cluster could not be asked.
     */
    readonly Endpoints: {
      readonly endpoints: readonly components['schemas']['Endpoint'][];
      readonly note: string;
    };
    /**
     * FetchRequest
     * @description Which files to copy, none for all, and the folder: null for the notebook's, empty for Jupyter's root folder.
     */
    readonly FetchRequest: {
      /** @default [] */
      readonly files?: readonly string[];
      /** @default null */
      readonly folder?: string | null;
      /** @default false */
      readonly overwrite?: boolean;
    };
    /**
     * FetchedOutput
     * @description What became of a file: `reason` says why one was rejected, `replaceable` whether `overwrite` would replace it.
     */
    readonly FetchedOutput: {
      readonly name: string;
      readonly size: number;
      /** @enum {string} */
      readonly outcome: 'fetched' | 'there' | 'rejected';
      readonly reason: string;
      readonly replaceable: boolean;
      readonly contents_path: string | null;
    };
    /**
     * FetchedOutputs
     * @description The folder in Jupyter's contents, and the files.
     */
    readonly FetchedOutputs: {
      readonly folder: string;
      readonly files: readonly components['schemas']['FetchedOutput'][];
    };
    /**
     * FieldProblem
     * @description What is wrong with one field.
     */
    readonly FieldProblem: {
      readonly field: string;
      readonly message: string;
      readonly hint: string;
      readonly suggestion: string;
    };
    /**
     * FillAnswer
     * @description What a fill would change.
     */
    readonly FillAnswer: {
      readonly changed: boolean;
      readonly before_digest: string;
      readonly edits: readonly components['schemas']['CellChange'][];
      readonly warnings: readonly string[];
      readonly diff: string;
    };
    /**
     * FillSources
     * @description Where settings come from that are to be filled into a notebook.
     */
    readonly FillSources: {
      readonly notebook: components['schemas']['Notebook'];
      /** @default null */
      readonly profile?: string | null;
      /**
       * @description Values of settings, by field.
       * @default {}
       */
      readonly values?: {
        readonly [key: string]: unknown;
      };
    };
    /**
     * Fix
     * @description One way to fix what a check has found; `magic` is its form for a notebook's cell, where it has one.
     */
    readonly Fix: {
      /** @enum {string} */
      readonly tool: 'fairing-azure' | 'kubectl' | 'az' | 'text';
      readonly command: string;
      readonly magic?: string;
    };
    /**
     * Json
     * @description Any value that JSON knows.
     */
    readonly Json: Json;
    /**
     * LaunchInfo
     * @description Something that a launch has left running, or has left behind, in the cluster.
     *
     *     Args:
     *         name: Its name, by which it is looked at and deleted.
     *         kind: `job`, `endpoint`, or `build` of an image.
     *         state: `pending`, `running`, `succeeded` and `failed` of a job or build; `pending`, `ready`, `failed`,
     *             `stopped` (no pod is wanted) and `broken` (a part of it is gone) of an endpoint; `deleting` of all.
     *         namespace: Its namespace.
     *         owner: Who has launched it, as its label says; empty where it has none.
     *         created: When, as ISO 8601 in UTC.
     *         image: The image that it runs.
     *         detail: What it waits for, or why it failed, in one sentence; empty where there is nothing to say.
     *         url: Where an endpoint predicts: its public address if it has one, else its address inside the cluster.
     *         public: Whether an endpoint has a public address, or is to get one.
     *         origin: What has launched it: this package, or Kubeflow Fairing by itself.
     *         notebook: The file name of the notebook that has launched it, as its label says; empty where it has none.
     *         run: The record of its launch likewise.
     *         sweep: The sweep that it belongs to, likewise.
     */
    readonly LaunchInfo: {
      readonly name: string;
      /** @enum {string} */
      readonly kind: 'job' | 'endpoint' | 'build';
      /** @enum {string} */
      readonly state:
        | 'pending'
        | 'running'
        | 'succeeded'
        | 'failed'
        | 'ready'
        | 'stopped'
        | 'deleting'
        | 'broken';
      readonly namespace: string;
      /** @default  */
      readonly owner: string;
      /** @default  */
      readonly created: string;
      /** @default  */
      readonly image: string;
      /** @default  */
      readonly detail: string;
      /** @default  */
      readonly url: string;
      /** @default false */
      readonly public: boolean;
      /**
       * @default fairing-az-jupyter
       * @enum {string}
       */
      readonly origin: 'fairing-az-jupyter' | 'kubeflow-fairing';
      /** @default  */
      readonly notebook: string;
      /** @default  */
      readonly run: string;
      /** @default  */
      readonly sweep: string;
    };
    /**
     * LaunchRequest
     * @description A launch: a notebook that launches, or a class or function that is trained or deployed.
     *
     *     Of `outputs`, the globs of the files that are kept of a training: null for all files, an empty list for none.
     */
    readonly LaunchRequest: {
      /** @enum {string} */
      readonly kind: 'notebook' | 'train' | 'deploy';
      /** @description A path of Jupyter's contents. */
      readonly notebook: string;
      /** @default null */
      readonly task?: string | null;
      /** @default [] */
      readonly input_files?: readonly string[];
      /** @default null */
      readonly outputs?: readonly string[] | null;
      /**
       * @description Values of settings, by field.
       * @default {}
       */
      readonly values?: {
        readonly [key: string]: unknown;
      };
      /** @default null */
      readonly profile?: string | null;
      /**
       * @description Values for the notebook's parameters.
       * @default {}
       */
      readonly parameters?: {
        readonly [key: string]: unknown;
      };
      /** @default null */
      readonly deadline?: number | null;
      /**
       * @description What the user calls it.
       * @default
       */
      readonly name?: string;
      /** @default  */
      readonly from_job?: string;
      /** @default [] */
      readonly from_files?: readonly string[];
    };
    /**
     * Launches
     * @description What was launched.
     *
     *     Args:
     *         found: The launches; one, where one was asked for.
     *         is_one: Whether one was asked for.
     *         note: What could not be seen, in one sentence; empty if everything could.
     *         of_everyone: Whether those of all namespaces were asked for.
     */
    readonly Launches: {
      readonly found: readonly components['schemas']['LaunchInfo'][];
      /** @default false */
      readonly is_one: boolean;
      /** @default  */
      readonly note: string;
      /** @default false */
      readonly of_everyone: boolean;
    };
    /**
     * LeftOut
     * @description A file that a run has written and that was not kept.
     */
    readonly LeftOut: {
      readonly path: string;
      readonly size: number;
      /** @enum {string} */
      readonly reason: 'limit' | 'pattern' | 'unreadable' | 'changed';
    };
    /**
     * ListedProfile
     * @description A profile in the list; `problem` says why it can't be used, null if it can.
     */
    readonly ListedProfile: {
      readonly name: string;
      readonly values: {
        readonly [key: string]: components['schemas']['Json'];
      };
      readonly problem: string | null;
    };
    /**
     * LogFound
     * @description Where a text stands; if nowhere yet, the search continues at `scanned_to`.
     */
    readonly LogFound: {
      readonly line: number | null;
      readonly scanned_to: number;
    };
    /**
     * LogLines
     * @description Lines of a log; fewer than were asked for where they are very long.
     */
    readonly LogLines: {
      readonly first: number;
      readonly lines: readonly string[];
      readonly total: number;
      readonly ended: boolean;
    };
    /**
     * LogSearch
     * @description What to look for in a log, and from which line on (that line too).
     */
    readonly LogSearch: {
      readonly text: string;
      /** @default 0 */
      readonly first?: number;
      /** @default false */
      readonly backward?: boolean;
      /** @default true */
      readonly ignore_case?: boolean;
    };
    /**
     * LogWindow
     * @description Which lines of a log; a negative `first` counts from the end.
     */
    readonly LogWindow: {
      /** @default 0 */
      readonly first?: number;
      /** @default 500 */
      readonly count?: number;
    };
    /**
     * Notebook
     * @description A notebook: `content` is its JSON text as it is in the editor now; null for the file as it is on the disk.
     */
    readonly Notebook: {
      /** @description A path of Jupyter's contents. */
      readonly path: string;
      /** @default null */
      readonly content?: string | null;
    };
    /**
     * NotebookParameters
     * @description A notebook's parameters.
     */
    readonly NotebookParameters: {
      readonly parameters: readonly components['schemas']['Parameter'][];
      readonly has_cell: boolean;
    };
    /**
     * OutputFile
     * @description A file that a run has written: its bytes, their SHA-256, and when it was changed, in seconds since 1970.
     */
    readonly OutputFile: {
      readonly name: string;
      readonly size: number;
      readonly sha256: string;
      readonly modified: number;
    };
    /**
     * OutputQuery
     * @description Which file that a run has written.
     */
    readonly OutputQuery: {
      /** @description A file's name, as the list has it. */
      readonly name: string;
    };
    /**
     * Parameter
     * @description A parameter of a notebook.
     */
    readonly Parameter: {
      readonly name: string;
      readonly default: string;
      readonly type: string;
      readonly help: string;
      readonly is_setting: boolean;
    };
    /**
     * PredictRequest
     * @description What an endpoint is to predict: rows as CSV or JSON text.
     */
    readonly PredictRequest: {
      /**
       * @default {
       *       "notebook": null,
       *       "profile": null,
       *       "values": {}
       *     }
       */
      readonly sources?: components['schemas']['Sources'];
      readonly data: string;
    };
    /**
     * Prediction
     * @description What an endpoint has answered.
     */
    readonly Prediction: {
      readonly endpoint: string;
      readonly url: string;
      readonly values: readonly components['schemas']['Json'][];
      readonly latency: number;
      readonly status: number;
    };
    /**
     * Problem
     * @description An error: what failed, and what to do next; `errors` where fields are at fault.
     */
    readonly Problem: {
      readonly code: string;
      readonly message: string;
      readonly hint: string;
      /** @default [] */
      readonly errors?: readonly components['schemas']['FieldProblem'][];
    };
    /**
     * Profile
     * @description A profile.
     */
    readonly Profile: {
      readonly name: string;
      readonly values: {
        readonly [key: string]: components['schemas']['Json'];
      };
    };
    /**
     * ProfileValues
     * @description Values to set in a profile; null takes a value away.
     */
    readonly ProfileValues: {
      /** @description Values of settings, by field. */
      readonly values: {
        readonly [key: string]: unknown;
      };
    };
    /**
     * Profiles
     * @description All profiles.
     */
    readonly Profiles: {
      readonly active: string | null;
      readonly profiles: readonly components['schemas']['ListedProfile'][];
    };
    /**
     * ResolvedSettings
     * @description The settings in force; `errors` of those that can't be used, which have their defaults here.
     */
    readonly ResolvedSettings: {
      readonly values: {
        readonly [key: string]: components['schemas']['Json'];
      };
      readonly fields: readonly components['schemas']['SettingInForce'][];
      readonly errors: readonly components['schemas']['FieldProblem'][];
      readonly missing: readonly string[];
    };
    /**
     * RetryRequest
     * @description How a run is repeated: with the notebook as it was then, or as it is now.
     */
    readonly RetryRequest: {
      /** @default false */
      readonly as_it_was?: boolean;
    };
    /**
     * Run
     * @description A run.
     */
    readonly Run: {
      readonly id: string;
      /** @enum {string} */
      readonly state: 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'lost';
      readonly notebook: string;
      /** @default null */
      readonly output: string | null;
      readonly parameters: {
        readonly [key: string]: components['schemas']['Json'];
      };
      /** @default 0 */
      readonly created: number;
      /** @default null */
      readonly started: number | null;
      /** @default null */
      readonly ended: number | null;
      /** @default null */
      readonly duration: number | null;
      /** @default null */
      readonly cell: number | null;
      /** @default null */
      readonly cells: number | null;
      readonly metrics: {
        readonly [key: string]: number | string | boolean | null;
      };
      /** @default null */
      readonly error: components['schemas']['RunError'] | null;
      /** @default  */
      readonly sweep: string;
      /** @default null */
      readonly point: number | null;
      /** @default  */
      readonly retry_of: string;
      /** @default 0 */
      readonly attempt: number;
      /**
       * @default here
       * @enum {string}
       */
      readonly place: 'here' | 'cluster';
      /** @default  */
      readonly job: string;
      /** @default  */
      readonly namespace: string;
      /** @default  */
      readonly folder: string;
      /**
       * @default notebook
       * @enum {string}
       */
      readonly kind: 'notebook' | 'train' | 'deploy';
      /** @default  */
      readonly task: string;
      /** @default  */
      readonly endpoint: string;
      /** @default  */
      readonly url: string;
      /** @default  */
      readonly name: string;
      /** @default  */
      readonly parent: string;
      /** @default  */
      readonly server: string;
      /** @default false */
      readonly unattended: boolean;
    };
    /**
     * RunComparison
     * @description Runs beside each other; `unknown` names those whose records do not tell what they were made of.
     */
    readonly RunComparison: {
      readonly parameters: readonly string[];
      readonly metrics: readonly string[];
      readonly runs: readonly components['schemas']['Run'][];
      readonly differences: readonly components['schemas']['RunDifference'][];
      readonly unknown: readonly string[];
    };
    /**
     * RunDifference
     * @description What runs were made of and what is not the same in all; a value for each run, null where it has none.
     */
    readonly RunDifference: {
      /** @enum {string} */
      readonly aspect: 'code' | 'data' | 'image' | 'packages' | 'settings';
      readonly name: string;
      /** @enum {string} */
      readonly change: 'added' | 'removed' | 'changed';
      readonly values: readonly (string | null)[];
    };
    /**
     * RunError
     * @description Why a run failed; of a cell also which one, its code, and the lines of the traceback; of a job what it raised.
     */
    readonly RunError: {
      readonly code?: string;
      readonly message?: string;
      readonly hint?: string;
      readonly cell?: number;
      readonly source?: string;
      readonly traceback?: readonly string[];
      readonly raised?: string;
    };
    /**
     * RunEvent
     * @description Something that happened in a run; see `models.RunEvent` for what each kind says.
     */
    readonly RunEvent: {
      /** @enum {string} */
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
      /** @enum {string} */
      readonly stream?: 'stdout' | 'stderr' | 'display';
      readonly text?: string;
      readonly duration?: number;
      readonly message?: string;
      readonly name?: string;
      readonly value?: number | string | boolean;
    };
    /**
     * RunOutputs
     * @description What a run has written; `complete` is false where it had not ended when that was kept.
     */
    readonly RunOutputs: {
      readonly launch: string;
      readonly where: string;
      readonly complete: boolean;
      readonly files: readonly components['schemas']['OutputFile'][];
      readonly left_out: readonly components['schemas']['LeftOut'][];
    };
    /**
     * RunStart
     * @description A run of a notebook.
     */
    readonly RunStart: {
      /** @description A path of Jupyter's contents. */
      readonly notebook: string;
      /**
       * @description Values for the notebook's parameters.
       * @default {}
       */
      readonly parameters?: {
        readonly [key: string]: unknown;
      };
      /** @default null */
      readonly profile?: string | null;
      /**
       * @description Values of settings, by field.
       * @default {}
       */
      readonly values?: {
        readonly [key: string]: unknown;
      };
      /** @default null */
      readonly output?: string | null;
      /** @default null */
      readonly cell_timeout?: number | null;
      /** @default null */
      readonly deadline?: number | null;
    };
    /**
     * RunView
     * @description A run, and where Jupyter's contents have its notebooks; null where they do not.
     */
    readonly RunView: {
      readonly id: string;
      /** @enum {string} */
      readonly state: 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'lost';
      readonly notebook: string;
      /** @default null */
      readonly output: string | null;
      readonly parameters: {
        readonly [key: string]: components['schemas']['Json'];
      };
      /** @default 0 */
      readonly created: number;
      /** @default null */
      readonly started: number | null;
      /** @default null */
      readonly ended: number | null;
      /** @default null */
      readonly duration: number | null;
      /** @default null */
      readonly cell: number | null;
      /** @default null */
      readonly cells: number | null;
      readonly metrics: {
        readonly [key: string]: number | string | boolean | null;
      };
      /** @default null */
      readonly error: components['schemas']['RunError'] | null;
      /** @default  */
      readonly sweep: string;
      /** @default null */
      readonly point: number | null;
      /** @default  */
      readonly retry_of: string;
      /** @default 0 */
      readonly attempt: number;
      /**
       * @default here
       * @enum {string}
       */
      readonly place: 'here' | 'cluster';
      /** @default  */
      readonly job: string;
      /** @default  */
      readonly namespace: string;
      /** @default  */
      readonly folder: string;
      /**
       * @default notebook
       * @enum {string}
       */
      readonly kind: 'notebook' | 'train' | 'deploy';
      /** @default  */
      readonly task: string;
      /** @default  */
      readonly endpoint: string;
      /** @default  */
      readonly url: string;
      /** @default  */
      readonly name: string;
      /** @default  */
      readonly parent: string;
      /** @default  */
      readonly server: string;
      /** @default false */
      readonly unattended: boolean;
      /** @default null */
      readonly output_path: string | null;
      /** @default null */
      readonly notebook_path: string | null;
      /** @default false */
      readonly is_active: boolean;
    };
    /**
     * Runs
     * @description A part of the list of runs, the newest first.
     */
    readonly Runs: {
      readonly runs: readonly components['schemas']['RunView'][];
      readonly total: number;
    };
    /**
     * RunsQuery
     * @description Which runs, and which part of their list.
     */
    readonly RunsQuery: {
      /**
       * @default
       * @enum {string}
       */
      readonly state?:
        '' | 'active' | 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'lost';
      /** @default  */
      readonly notebook?: string;
      /** @default 100 */
      readonly limit?: number;
      /** @default 0 */
      readonly offset?: number;
    };
    /**
     * SecretChange
     * @description What became of one object when the secrets were prepared; in a dry run, what would become of it.
     *
     *     Args:
     *         kind: `Secret` or `ServiceAccount`.
     *         name: The object's name.
     *         namespace: Its namespace.
     *         outcome: `created`, `updated` or `unchanged`.
     *         keys: For a Secret: the keys that were written; never their values.
     *         note: What else the user should know, in one sentence; empty where there is nothing.
     */
    readonly SecretChange: {
      /** @enum {string} */
      readonly kind: 'Secret' | 'ServiceAccount';
      readonly name: string;
      readonly namespace: string;
      /** @enum {string} */
      readonly outcome: 'created' | 'updated' | 'unchanged';
      /** @default [] */
      readonly keys: readonly string[];
      /** @default  */
      readonly note: string;
    };
    /**
     * SecretState
     * @description What may be shown of one object that a launch needs: never a value.
     *
     *     Args:
     *         kind: `Secret` or `ServiceAccount`.
     *         name: The object's name.
     *         namespace: Its namespace.
     *         state: `present`, `missing`, or `not-allowed` where this user may not look.
     *         type: A Secret's type; empty where it is not known.
     *         keys: A Secret's keys; for a ServiceAccount the Secrets that its pods pull images with.
     *         created: When a Secret was made, as ISO 8601 in UTC; empty where it is not known.
     *         expires: When the client secret in it expires, as ISO 8601; empty where nobody has noted it.
     */
    readonly SecretState: {
      /** @enum {string} */
      readonly kind: 'Secret' | 'ServiceAccount';
      readonly name: string;
      readonly namespace: string;
      /** @enum {string} */
      readonly state: 'present' | 'missing' | 'not-allowed';
      /** @default  */
      readonly type: string;
      /** @default [] */
      readonly keys: readonly string[];
      /** @default  */
      readonly created: string;
      /** @default  */
      readonly expires: string;
    };
    /**
     * SecretsRequest
     * @description The Secrets to make.
     */
    readonly SecretsRequest: {
      /**
       * @default {
       *       "notebook": null,
       *       "profile": null,
       *       "values": {}
       *     }
       */
      readonly sources?: components['schemas']['Sources'];
      /** @default true */
      readonly azure?: boolean;
      /** @default true */
      readonly acr?: boolean;
      /** @default false */
      readonly only_secret?: boolean;
      /** @default false */
      readonly replace?: boolean;
      /** @default false */
      readonly dry_run?: boolean;
      /**
       * @default {
       *       "client_id": null,
       *       "client_secret": null,
       *       "tenant_id": null,
       *       "subscription_id": null,
       *       "expires": null
       *     }
       */
      readonly values?: components['schemas']['ServicePrincipal'];
    };
    /**
     * ServicePrincipal
     * @description The values of a service principal. They are never answered, logged or kept.
     */
    readonly ServicePrincipal: {
      /** @default null */
      readonly client_id?: string | null;
      /** @default null */
      readonly client_secret?: string | null;
      /** @default null */
      readonly tenant_id?: string | null;
      /** @default null */
      readonly subscription_id?: string | null;
      /** @default null */
      readonly expires?: string | null;
    };
    /**
     * Setting
     * @description One setting as JSON Schema, with what forms and the reference page need beside it.
     */
    readonly Setting: {
      /** @enum {string} */
      readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'null';
      readonly enum?: readonly components['schemas']['Json'][];
      readonly const?: components['schemas']['Json'];
      readonly title: string;
      readonly description: string;
      readonly default: components['schemas']['Json'];
      readonly examples: readonly components['schemas']['Json'][];
      readonly anyOf?: readonly components['schemas']['SettingKind'][];
      readonly notebook_name: string;
      /** @enum {string} */
      readonly cell: 'always' | 'where-present';
      readonly group: string;
      readonly rule: string;
      readonly rule_source: string;
      readonly needed_on: readonly string[];
    };
    /**
     * SettingInForce
     * @description Where the value of a setting comes from.
     */
    readonly SettingInForce: {
      readonly field: string;
      readonly notebook_name: string;
      readonly value: components['schemas']['Json'];
      /** @enum {string} */
      readonly source:
        'argument' | 'parameters cell' | 'environment' | 'profile' | 'cluster' | 'default';
      readonly detail: string;
    };
    /**
     * SettingKind
     * @description One of several kinds of values that a setting may have.
     */
    readonly SettingKind: {
      /** @enum {string} */
      readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'null';
      readonly enum?: readonly components['schemas']['Json'][];
      readonly const?: components['schemas']['Json'];
    };
    /**
     * SettingsObject
     * @description The settings as an object of JSON Schema.
     */
    readonly SettingsObject: {
      /** @constant */
      readonly type: 'object';
      readonly title: string;
      readonly description: string;
      readonly properties: {
        readonly [key: string]: components['schemas']['Setting'];
      };
      /** @constant */
      readonly additionalProperties: false;
    };
    /**
     * SettingsSchema
     * @description The JSON schema of the settings, with all that a form needs.
     */
    readonly SettingsSchema: {
      readonly schema: components['schemas']['SettingsObject'];
    };
    /**
     * Sources
     * @description Where settings come from; `values` are explicit ones.
     */
    readonly Sources: {
      /** @default null */
      readonly notebook?: components['schemas']['Notebook'] | null;
      /** @default null */
      readonly profile?: string | null;
      /**
       * @description Values of settings, by field.
       * @default {}
       */
      readonly values?: {
        readonly [key: string]: unknown;
      };
    };
    /**
     * States
     * @description What there is of the Secrets and the service account.
     */
    readonly States: {
      readonly states: readonly components['schemas']['SecretState'][];
    };
    /**
     * StatusOperation
     * @description Show what was launched in the cluster: jobs, endpoints, builds.
     */
    readonly StatusOperation: {
      /**
       * @default {
       *       "notebook": null,
       *       "profile": null,
       *       "values": {}
       *     }
       */
      readonly sources?: components['schemas']['Sources'];
      /**
       * @description Show only this, with all that is known of it.
       * @default null
       */
      readonly name?: string | null;
      /**
       * @description Of all namespaces that you may look at, with notebook, run and sweep.
       * @default false
       */
      readonly everyone?: boolean;
    };
    /**
     * StreamQuery
     * @description Where a stream continues: the id of the last event that was received.
     */
    readonly StreamQuery: {
      /** @default 0 */
      readonly offset?: number;
    };
    /**
     * Task
     * @description A class or function that can be launched.
     */
    readonly Task: {
      readonly task: string;
      readonly name: string;
      /** @enum {string} */
      readonly kind: 'class' | 'function';
      readonly can_train: boolean;
      readonly can_deploy: boolean;
      readonly reason: string;
    };
    /**
     * Tasks
     * @description What can be launched of a file.
     */
    readonly Tasks: {
      readonly tasks: readonly components['schemas']['Task'][];
    };
  };
  responses: {
    /** @description What was asked for can't be done as it stands. */
    readonly 400: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description Who asks is not logged in to Jupyter. */
    readonly 401: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description Who asks may not do it: in Jupyter, in the cluster or in Azure. */
    readonly 403: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description Not found, or the request comes from another site. */
    readonly 404: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description Something else has to happen first. */
    readonly 409: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description The body is too large. */
    readonly 413: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description The body is not JSON. */
    readonly 415: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description A field breaks its rule; `errors` names it. */
    readonly 422: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description Azure or the cluster asks to wait. */
    readonly 429: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description A bug; the log of Jupyter Server says where. */
    readonly 500: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description The cluster or Azure does not answer. */
    readonly 502: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description The worker process has ended; the next request starts it anew. */
    readonly 503: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
    /** @description The cluster or Azure does not answer in time. */
    readonly 504: {
      headers: {
        readonly [name: string]: unknown;
      };
      content: {
        readonly 'application/json': components['schemas']['Problem'];
      };
    };
  };
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
};
export type $defs = Record<string, never>;
export interface operations {
  readonly settings_schema: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['SettingsSchema'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly settings_resolve: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Sources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['ResolvedSettings'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly settings_profiles: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Profiles'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly settings_save_profile: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly profile: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['ProfileValues'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Profile'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly settings_delete_profile: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly profile: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 204: {
        headers: {
          readonly [name: string]: unknown;
        };
        content?: never;
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly settings_activate_profile: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['ActiveProfile'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Active'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly notebooks_describe: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Notebook'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['NotebookParameters'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly notebooks_fill_plan: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['FillSources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['FillAnswer'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly notebooks_tasks: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Notebook'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Tasks'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly checks_start: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Sources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 201: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['CheckStarted'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly checks_events: {
    readonly parameters: {
      readonly query?: {
        readonly offset?: number;
      };
      readonly header?: never;
      readonly path: {
        readonly check: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'text/event-stream': {
            readonly result: components['schemas']['CheckResult'];
            readonly end: components['schemas']['CheckEnd'];
            readonly error: components['schemas']['Problem'];
          };
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly checks_cancel: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly check: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 204: {
        headers: {
          readonly [name: string]: unknown;
        };
        content?: never;
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly secrets_state: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Sources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['States'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly secrets_create: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['SecretsRequest'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Changes'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly secrets_attach: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['AttachRequest'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Changes'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly runs_listed: {
    readonly parameters: {
      readonly query?: {
        readonly state?:
          '' | 'active' | 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'lost';
        readonly notebook?: string;
        readonly limit?: number;
        readonly offset?: number;
      };
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Runs'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly launches_run: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['RunStart'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 201: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['RunView'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly runs_compare: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['CompareRequest'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['RunComparison'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly runs_described: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['RunView'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly runs_cancel: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['RunView'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly launches_retry: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['RetryRequest'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 201: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['RunView'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly runs_events: {
    readonly parameters: {
      readonly query?: {
        readonly offset?: number;
      };
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'text/event-stream': {
            readonly event: components['schemas']['RunEvent'];
            readonly end: components['schemas']['RunView'];
            readonly error: components['schemas']['Problem'];
          };
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly run_logs_window: {
    readonly parameters: {
      readonly query?: {
        readonly first?: number;
        readonly count?: number;
      };
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['LogLines'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly run_logs_search: {
    readonly parameters: {
      readonly query: {
        readonly text: string;
        readonly first?: number;
        readonly backward?: boolean;
        readonly ignore_case?: boolean;
      };
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['LogFound'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly run_logs_file: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'text/plain': string;
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly run_logs_notebook: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/x-ipynb+json': string;
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly outputs_listed: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['RunOutputs'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly outputs_fetch: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['FetchRequest'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['FetchedOutputs'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly outputs_file: {
    readonly parameters: {
      readonly query: {
        readonly name: string;
      };
      readonly header?: never;
      readonly path: {
        readonly run: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/octet-stream': string;
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly runs_in_cluster: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Sources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['ClusterLaunches'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly runs_active_events: {
    readonly parameters: {
      readonly query?: {
        readonly offset?: number;
      };
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'text/event-stream': {
            readonly runs: components['schemas']['ActiveRuns'];
            readonly error: components['schemas']['Problem'];
          };
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly launches_launch: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['LaunchRequest'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 201: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['RunView'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly endpoints_listed: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Sources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Endpoints'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly endpoints_predict: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly endpoint: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['PredictRequest'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Prediction'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly endpoints_delete: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path: {
        readonly endpoint: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Sources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Deleted'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly endpoints_log: {
    readonly parameters: {
      readonly query?: {
        readonly offset?: number;
      };
      readonly header?: never;
      readonly path: {
        readonly endpoint: string;
      };
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['Sources'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'text/event-stream': {
            readonly line: components['schemas']['EndpointLine'];
            readonly end: components['schemas']['EndpointLogEnd'];
            readonly error: components['schemas']['Problem'];
          };
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly documents_openapi: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody?: never;
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': {
            readonly [key: string]: unknown;
          };
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly commands_status: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['StatusOperation'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': components['schemas']['Launches'];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
  readonly commands_delete: {
    readonly parameters: {
      readonly query?: never;
      readonly header?: never;
      readonly path?: never;
      readonly cookie?: never;
    };
    readonly requestBody: {
      readonly content: {
        readonly 'application/json': components['schemas']['DeleteOperation'];
      };
    };
    readonly responses: {
      /** @description As asked for. */
      readonly 200: {
        headers: {
          readonly [name: string]: unknown;
        };
        content: {
          readonly 'application/json': readonly components['schemas']['LaunchInfo'][];
        };
      };
      readonly 400: components['responses']['400'];
      readonly 401: components['responses']['401'];
      readonly 403: components['responses']['403'];
      readonly 404: components['responses']['404'];
      readonly 409: components['responses']['409'];
      readonly 413: components['responses']['413'];
      readonly 415: components['responses']['415'];
      readonly 422: components['responses']['422'];
      readonly 429: components['responses']['429'];
      readonly 500: components['responses']['500'];
      readonly 502: components['responses']['502'];
      readonly 503: components['responses']['503'];
      readonly 504: components['responses']['504'];
    };
  };
}
