/** The generated types that the panel names. What they hold stands in docs/openapi.json. */
import type { components, Json } from './generated/api';

type Schemas = components['schemas'];

export type { Json };
/** Values of settings, by field. */
export type Values = Schemas['ResolvedSettings']['values'];

/** A notebook: where it is, and its text as the editor has it; null for the file's. */
export type INotebookSource = Required<Schemas['Notebook']>;
/** Where settings come from; the panel always says all of it. */
export type ISources = Required<Schemas['Sources']> & {
  readonly notebook: INotebookSource | null;
  readonly values: Values;
};
/** Where settings come from that are to be filled into a notebook. */
export type IFillSources = Schemas['FillSources'];
/** One setting as the form shows it. */
export type ISetting = Schemas['Setting'];
/** All settings, as JSON Schema. */
export type ISchema = Schemas['SettingsObject'];
/** What is wrong with one field. */
export type IFieldError = Schemas['FieldProblem'];
/** Why the server has not done what was asked for. */
export type IProblem = Schemas['Problem'];
/** Where the value of one setting comes from. */
export type IFieldSource = Schemas['SettingInForce'];
/** The settings in force. */
export type IResolved = Schemas['ResolvedSettings'];
/** A profile as it was saved. */
export type IProfile = Schemas['Profile'];
/** A profile as it is listed. */
export type IListedProfile = Schemas['ListedProfile'];

/** One parameter of a notebook. */
export type IParameter = Schemas['Parameter'];
/** The parameters of a notebook. */
export type IParameters = Schemas['NotebookParameters'];
/** The edit of one cell. */
export type ICellEdit = Schemas['CellChange'];
/** What a fill will change. */
export type IFillPlan = Schemas['FillAnswer'];
/** A class or a function that can be launched. */
export type ITask = Schemas['Task'];

/** One way to fix what a check has found. */
export type IRemedy = Schemas['Fix'];
/** What one check has found. */
export type ICheckResult = Schemas['CheckResult'];
/** How a check has ended. */
export type CheckStatus = ICheckResult['status'];
/** What became of one object when the secrets were prepared. */
export type ISecretChange = Schemas['SecretChange'];
/** What may be shown of one object that a launch needs. */
export type ISecretState = Schemas['SecretState'];
/** Values of secrets on their way to the server; never kept. */
export type ISecretValues = Schemas['ServicePrincipal'];

/** A run. Times are seconds since 1970, durations are seconds. */
export type IRun = Schemas['RunView'];
/** How a run is. */
export type RunState = IRun['state'];
/** What is run. */
export type RunKind = IRun['kind'];
/** Why a run has failed. */
export type IRunError = Schemas['RunError'];
/** Something that happened in a run. */
export type IRunEvent = Schemas['RunEvent'];
/** Filter runs: a state, `active` for waiting and running, or empty for all. */
export type RunsState = NonNullable<Schemas['RunsQuery']['state']>;
/** Filter runs, and which part of their list. */
export type IRunsQuery = Schemas['RunsQuery'];
/** Runs beside each other. */
export type IComparison = Schemas['RunComparison'];
/** A run beside others. */
export type IComparedRun = Schemas['Run'];
/** What of the things that runs were made of is not the same in all. */
export type IDifference = Schemas['RunDifference'];
/** What a run has written. */
export type IRunOutputs = Schemas['RunOutputs'];
/** A file that a run has written. */
export type IOutputFile = Schemas['OutputFile'];
/** A file that a run has written and that was not kept. */
export type ILeftOut = Schemas['LeftOut'];
/** Which files of a run are copied, and where to. */
export type IFetchRequest = Schemas['FetchRequest'];
/** What became of the files that were to be copied. */
export type IFetched = Schemas['FetchedOutputs'];
/** What became of a file that was to be copied. */
export type IFetchedFile = Schemas['FetchedOutput'];
/** A window of a run's log. */
export type ILogWindow = Schemas['LogLines'];
/** Where a text was found in a log, and up to which line was looked. */
export type ILogMatch = Schemas['LogFound'];
/** What is run. */
export type IRunRequest = Schemas['RunStart'];
/** What to launch. */
export type ILaunchRequest = Schemas['LaunchRequest'];
/** The Secrets to make. */
export type ISecretsRequest = Schemas['SecretsRequest'];

/** An endpoint. */
export type IEndpoint = Schemas['Endpoint'];
/** Endpoints, and why some could not be asked for. */
export type IEndpoints = Schemas['Endpoints'];
/** What an endpoint has answered. */
export type IPrediction = Schemas['Prediction'];
