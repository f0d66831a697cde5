import { afterEach, beforeEach, expect, test } from 'vitest';

import { ApiError, type Api } from '../src/api';
import { EndpointsModel } from '../src/models/endpoints';
import type { IEndpoint } from '../src/types';

function anEndpoint(name: string, more: Partial<IEndpoint> = {}): IEndpoint {
  return {
    name,
    state: 'ready',
    place: 'cluster',
    namespace: 'team-a',
    url: `http://${name}/predict`,
    public: false,
    created: '2026-01-01T00:00:00Z',
    detail: '',
    image: '',
    owner: 'me',
    run: '',
    ...more
  };
}

const sources = { notebook: null, profile: null, values: {} };
let all: IEndpoint[];
let failure: ApiError | null;
let endpoints: EndpointsModel;

beforeEach(() => {
  all = [anEndpoint('a'), anEndpoint('a', { place: 'here', namespace: '' })];
  failure = null;
  const answer = async <T>(value: T): Promise<T> => {
    await Promise.resolve();
    if (failure) {
      throw failure;
    }
    return value;
  };
  const api = {
    endpoints: () => answer({ endpoints: all, note: 'The cluster does not answer.' }),
    predict: (endpoint: IEndpoint, _: unknown, data: string) =>
      answer({
        endpoint: endpoint.name,
        url: endpoint.url,
        values: [data.length],
        latency: 0.01,
        status: 200
      }),
    deleteEndpoint: (endpoint: IEndpoint) => {
      all = failure ? all : all.filter(each => each !== endpoint);
      return answer({ deleted: endpoint.name });
    }
  };
  endpoints = new EndpointsModel(api as unknown as Api, () => sources);
});

afterEach(() => endpoints.dispose());

test('endpoints are shown, and why some may be missing', async () => {
  await endpoints.refresh();
  expect(endpoints.endpoints).toHaveLength(2);
  expect(endpoints.note).toBe('The cluster does not answer.');
});

test('the rows of a test call are kept for each endpoint, also where two have one name', async () => {
  const [cluster, here] = all as [IEndpoint, IEndpoint];
  endpoints.type(cluster, '[[1]]');
  endpoints.type(here, 'a,b');
  await endpoints.call(cluster);
  expect(endpoints.trial(cluster).answer?.values).toEqual([5]);
  expect(endpoints.trial(here)).toMatchObject({ data: 'a,b', answer: null });
});

test('a test call that fails keeps what was typed and says what to do', async () => {
  const [cluster] = all as [IEndpoint];
  endpoints.type(cluster, 'nonsense');
  failure = new ApiError(400, 'bad-rows', 'No rows.', 'Write a line of names.');
  await endpoints.call(cluster);
  expect(endpoints.trial(cluster)).toMatchObject({
    data: 'nonsense',
    isAsking: false,
    answer: null
  });
  expect(endpoints.trial(cluster).error?.hint).toBe('Write a line of names.');
});

test('an endpoint that was deleted is gone, its namesake stays', async () => {
  await endpoints.refresh();
  const [cluster, here] = all as [IEndpoint, IEndpoint];
  expect(await endpoints.delete(cluster)).toBe(true);
  expect(endpoints.endpoints).toEqual([here]);
});

test('an endpoint that could not be deleted stays, and the error is shown', async () => {
  await endpoints.refresh();
  failure = new ApiError(403, 'forbidden', 'You may not delete it.', 'Ask your administrator.');
  expect(await endpoints.delete(all[0] as IEndpoint)).toBe(false);
  expect(endpoints.endpoints).toHaveLength(2);
  expect(endpoints.error?.message).toBe('You may not delete it.');
  expect(endpoints.deleting.size).toBe(0);
});
