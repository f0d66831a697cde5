import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, expectTypeOf, it } from 'vitest';

import { Api } from '../src/api';
import type { Answer, End, Item, Names, Parts, Route, StreamRoute } from '../src/routes';
import type { IRun, IRunEvent, ISources } from '../src/types';

const SOURCES: ISources = { notebook: null, profile: null, values: {} };

/** A client whose requests are kept, and answered with one text. */
function asking(answer = '{}') {
  const requests: { method: string; url: string; body: string }[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://127.0.0.1:8888/notebook/team-a/',
    fetch: async (asked: RequestInfo | URL) => {
      const request = asked as Request;
      // Jupyter ends the address with the time, so that nothing comes from a cache.
      const url = request.url.replace(/[?&]\d+$/, '');
      requests.push({ method: request.method, url, body: await request.text() });
      return new Response(answer, { status: 200 });
    }
  });
  return { api: new Api(settings), requests };
}

describe('the client', () => {
  it('fills the names of a path in, escaped, and leaves out what is empty of a query', async () => {
    const { api, requests } = asking();
    await api.saveProfile('a/b', { backend: 'LocalBackend' });
    await api.runs({ state: '', notebook: 'my notebook.ipynb', limit: 10 });
    await api.log('a-run', -1, 0);
    const root = 'http://127.0.0.1:8888/notebook/team-a/fairing-az-jupyter';
    expect(requests.map(each => `${each.method} ${each.url}`)).toEqual([
      `PUT ${root}/profiles/a%2Fb`,
      `GET ${root}/runs?notebook=my%20notebook.ipynb&limit=10`,
      `GET ${root}/runs/a-run/log?first=-1&count=0`
    ]);
    expect(requests[0]?.body).toBe('{"values":{"backend":"LocalBackend"}}');
  });

  it('sends no body where the document has none', async () => {
    const { api, requests } = asking();
    await api.cancelRun('a-run');
    expect(requests[0]).toMatchObject({ method: 'POST', body: '' });
  });

  it('names the files that a browser downloads', () => {
    expect(asking().api.logFileUrl('a b')).toMatch(/\/fairing-az-jupyter\/runs\/a%20b\/log\/file$/);
  });
});

describe('what the document does not have does not compile', () => {
  it('a path, or a method of it', () => {
    expectTypeOf<'runs/{run}'>().toExtend<Route<'get'>>();
    expectTypeOf<'runs/{run}/cancel'>().not.toExtend<Route<'get'>>();
    expectTypeOf<'run/{run}'>().not.toExtend<Route<'get'>>();
    expectTypeOf<'runs'>().not.toExtend<StreamRoute>();
  });

  it('a name in a path, a query or a body', () => {
    expectTypeOf<Names<'runs/{run}/log'>>().toEqualTypeOf<{ readonly run: string }>();
    expectTypeOf({ query: { state: 'active' } } as const).toExtend<Parts<'get', 'runs'>>();
    expectTypeOf({ query: { state: 'asleep' } } as const).not.toExtend<Parts<'get', 'runs'>>();
    expectTypeOf({ body: SOURCES }).toExtend<Parts<'post', 'checks'>>();
    expectTypeOf({ body: SOURCES }).not.toExtend<Parts<'post', 'notebook/fill-plan'>>();
    expectTypeOf({}).not.toExtend<Parts<'post', 'checks'>>();
  });

  it('an answer or an event', () => {
    expectTypeOf<Answer<'get', 'runs/{run}'>>().toEqualTypeOf<IRun>();
    expectTypeOf<Answer<'delete', 'profiles/{profile}'>>().toEqualTypeOf<void>();
    expectTypeOf<Item<'runs/{run}/events'>>().toEqualTypeOf<IRunEvent>();
    expectTypeOf<End<'runs/{run}/events'>>().toEqualTypeOf<IRun>();
    expectTypeOf<End<'active-runs/events'>>().toEqualTypeOf<never>();
  });
});
