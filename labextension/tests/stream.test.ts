import { describe, expect, it } from 'vitest';

import { EventParser, follow, StreamError, type IStreamEvent } from '../src/stream';

const NEVER = new AbortController().signal;

function answer(...pieces: string[]): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) {
        controller.enqueue(encoder.encode(piece));
      }
      controller.close();
    }
  });
  return new Response(body);
}

/** Follow these answers, one connection after the other. */
async function received(...answers: (Response | Error)[]) {
  const offsets: string[] = [];
  const events: IStreamEvent[] = [];
  const ends: string[] = [];
  const errors: unknown[] = [];
  const states: boolean[] = [];
  await follow(
    {
      open: async offset => {
        offsets.push(offset);
        const next = answers.shift();
        if (next instanceof Response) {
          return next;
        }
        throw next ?? Object.assign(new Error('no more answers'), { status: 410 });
      },
      onEvent: event => events.push(event),
      onEnd: data => ends.push(data),
      onError: error => errors.push(error),
      onState: connected => states.push(connected)
    },
    NEVER
  );
  return { offsets, ends, errors, states, data: events.map(event => event.data) };
}

describe('the parser', () => {
  const text =
    'id: 7\r\nevent: result\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: heartbeat\n\ndata: x\n\n';

  it('takes a stream in pieces of any size', () => {
    for (let size = 1; size <= text.length; size += 1) {
      const parser = new EventParser();
      const events: IStreamEvent[] = [];
      for (let at = 0; at < text.length; at += size) {
        events.push(...parser.push(text.slice(at, at + size)));
      }
      expect(events).toEqual([
        { id: '7', name: 'result', data: '{"a":\n1}' },
        { id: '7', name: 'message', data: 'x' }
      ]);
    }
  });

  it('passes on no event that is not complete', () => {
    expect(new EventParser().push('data: x\n')).toEqual([]);
  });
});

describe('a followed stream', () => {
  it('takes up after a break where it was, and ends with its end', async () => {
    const found = await received(
      answer('id: 1\nevent: line\ndata: a\n\n'),
      answer('id: 2\nevent: line\ndata: b\n\n', 'event: end\ndata: {}\n\n')
    );
    expect(found.data).toEqual(['a', 'b']);
    expect(found.offsets).toEqual(['', '1']);
    expect(found.ends).toEqual(['{}']);
    expect(found.states).toEqual([true, false, true]);
  });

  it('stops at an error event', async () => {
    const found = await received(
      answer('event: error\ndata: {"code":"x"}\n\nid: 9\ndata: late\n\n')
    );
    expect(found.errors[0]).toBeInstanceOf(StreamError);
    expect(found.data).toEqual([]);
  });

  it('does not retry after a client error', async () => {
    const rejection = Object.assign(new Error('not found'), { status: 404 });
    const found = await received(rejection);
    expect(found.errors).toEqual([rejection]);
    expect(found.offsets).toEqual(['']);
  });

  it('asks again where the server has a fault', async () => {
    const fault = Object.assign(new Error('bad gateway'), { status: 502 });
    const found = await received(fault, answer('event: end\ndata: {}\n\n'));
    expect(found.errors).toEqual([]);
    expect(found.ends).toEqual(['{}']);
  });

  it('keeps a character that two pieces share', async () => {
    const bytes = new TextEncoder().encode('data: ü😀\n\nevent: end\ndata: {}\n\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) {
          controller.enqueue(Uint8Array.of(byte));
        }
        controller.close();
      }
    });
    expect((await received(new Response(body))).data).toEqual(['ü😀']);
  });
});
