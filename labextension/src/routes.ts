/** What each route of the server takes and answers, by method and path, as the generated types have it. */
import type { paths } from './generated/api';

type Prefix = '/fairing-az-jupyter/';

/** The methods of HTTP that routes have. */
export type Method = 'get' | 'post' | 'put' | 'delete';

/** What one route does, as the document describes it. */
type Operation<M extends Method, R extends string> = `${Prefix}${R}` extends keyof paths
  ? NonNullable<paths[`${Prefix}${R}`][M]>
  : never;

/** The paths below the prefix that know a method. */
export type Route<M extends Method> = {
  [P in keyof paths]: P extends `${Prefix}${infer R}`
    ? [Operation<M, R>] extends [never]
      ? never
      : R
    : never;
}[keyof paths];

/** The content of an operation's successful answer; never if it has none. */
type Content<O> = O extends { readonly responses: infer Responses }
  ? {
      [S in keyof Responses & (200 | 201)]: Responses[S] extends { content: infer C } ? C : never;
    }[keyof Responses & (200 | 201)]
  : never;

/** The paths that answer with a stream of events. */
export type StreamRoute = {
  [R in Route<'get'>]: 'text/event-stream' extends keyof Content<Operation<'get', R>> ? R : never;
}[Route<'get'>];

/** The paths that answer with a file. */
export type FileRoute = {
  [R in Route<'get'>]: keyof Content<Operation<'get', R>> extends
    'application/json' | 'text/event-stream'
    ? never
    : R;
}[Route<'get'>];

/** The names in a path: `run` of `runs/{run}`. */
type NameIn<R extends string> = R extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NameIn<Rest>
  : never;

/** What stands for the names in a path. */
export type Names<R extends string> = Readonly<Record<NameIn<R>, string>>;

/** The query of a route. */
type Query<O> = O extends { readonly parameters: { readonly query?: infer Q } }
  ? NonNullable<Q>
  : never;

/** The body of a route. */
type Body<O> = O extends {
  readonly requestBody: { content: { readonly 'application/json': infer B } };
}
  ? B
  : never;

/** A part of a request: not there, or there whole, or left out where all of it may be left out. */
type Part<Name extends string, T> = [T] extends [never]
  ? { readonly [N in Name]?: never }
  : { readonly [N in Name]: T };
type Optional<Name extends string, T> = object extends T
  ? { readonly [N in Name]?: T }
  : Part<Name, T>;

/** All parts of a request. */
export type Parts<M extends Method, R extends Route<M>> = Part<'body', Body<Operation<M, R>>> &
  Part<'names', [NameIn<R>] extends [never] ? never : Names<R>> &
  Optional<'query', Query<Operation<M, R>>>;

/** The parts of a request as the last argument of a function, which may be left out if nothing has to be given. */
export type Given<P> = object extends P ? [parts?: P] : [parts: P];

/** What a route answers; nothing where the document has no content. */
export type Answer<M extends Method, R extends Route<M>> = [Content<Operation<M, R>>] extends [
  never
]
  ? void
  : Content<Operation<M, R>> extends { readonly 'application/json': infer T }
    ? T
    : never;

type Events<R extends StreamRoute> =
  Content<Operation<'get', R>> extends { readonly 'text/event-stream': infer E } ? E : never;

/** What the events of a stream hold, but for `end` and `error`. */
export type Item<R extends StreamRoute> = Events<R>[Exclude<keyof Events<R>, 'end' | 'error'>];

/** What the last event of a stream holds; never if it has no end. */
export type End<R extends StreamRoute> = Events<R> extends { readonly end: infer T } ? T : never;
