// SPDX-License-Identifier: BSD-3-Clause
// Hawk's reference implementation on one side, ours on the other (Tent 0.3, section 5). Started by ../run.py with the
// path of a JSON file: the app's credentials, the id of a private post, a file to attach, the program hawk_peer.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import hawk from 'hawk';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const credentials = { id: config.app.id, key: config.app.hawk_key, algorithm: 'sha256' };
const api = new URL(config.app.api_root);
const statusType = 'https://tent.io/types/status/v0#';
const postMedia = `application/vnd.tent.post.v0+json; type="${statusType}"`;
const entity = encodeURIComponent(config.app.entity);
const privatePost = `/posts/${entity}/${config.private}`;
const now = () => Math.floor(Date.now() / 1000);

const tests = [];
const test = (name, run) => tests.push({ name, run });

// ---- their client, our node

// options: headers, body, pieces (sent chunked) and whatever hawk.client.header takes; `header` overrides the signature.
async function ask(method, target, options = {}) {
    const { headers = {}, body, pieces, header, signed = true, ...more } = options;
    const url = `http://${api.host}${target}`;
    const made = signed ? hawk.client.header(url, method, { credentials, ...more }) : null;
    const wire = { Host: api.host, ...headers };
    if (made) wire.Authorization = header ?? made.header;
    if (body !== undefined) wire['Content-Length'] = Buffer.byteLength(body);
    const answer = await send({ host: api.hostname, port: api.port, method, path: target, headers: wire }, pieces ?? body);
    return { ...answer, artifacts: made?.artifacts };
}

function send(where, body) {
    return new Promise((resolve, reject) => {
        const request = http.request({ ...where, agent: false }, response => {
            const parts = [];
            response.on('data', part => parts.push(part));
            response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, raw: response,
                                               body: Buffer.concat(parts) }));
            response.on('error', reject);
        });
        request.on('error', reject);
        if (Array.isArray(body)) {
            for (const piece of body) request.write(piece);
            request.end();
        } else {
            request.end(body);
        }
    });
}

// The reference client's word on the answer: Server-Authorization must be there and cover the body.
function authentic(answer, withBody = true) {
    hawk.client.authenticate(answer.raw, credentials, answer.artifacts,
                             { required: true, ...(withBody ? { payload: answer.body } : {}) });
}

function accepted(answer, status = 200) {
    assert.equal(answer.status, status, answer.body.toString());
    authentic(answer);
    return JSON.parse(answer.body);
}

function refused(answer, status = 403) {
    assert.equal(answer.status, status, answer.body.toString());
    assert.equal(answer.headers['server-authorization'], undefined, 'a refused request has no proof');
}

const statusPost = text => JSON.stringify({ type: statusType, content: { text } });
const feed = `/posts?limit=2&types=${encodeURIComponent('https://tent.io/types/status/v0')}`;

test('GET with a query; Server-Authorization covers the feed (section 5.4)', async () => {
    assert.ok(Array.isArray(accepted(await ask('GET', feed)).posts));
});

test('GET with the hash of an empty payload', async () => {
    accepted(await ask('GET', feed, { payload: '', contentType: '' }));
});

test('a target that is not escaped at all is signed as it is (section 1.5)', async () => {
    accepted(await ask('GET', `/posts/${config.app.entity}/${config.private}`));
});

test('POST with the hash of its payload (section 5.3)', async () => {
    const body = statusPost('café ☕ with a hash');
    const made = accepted(await ask('POST', '/posts', { headers: { 'Content-Type': postMedia }, body, payload: body, contentType: postMedia }));
    assert.equal(made.post.content.text, 'café ☕ with a hash');
});

test('POST without a hash', async () => {
    accepted(await ask('POST', '/posts', { headers: { 'Content-Type': postMedia }, body: statusPost('no hash') }));
});

test('the hash covers the media type without its parameters and in lower case', async () => {
    const body = statusPost('APPLICATION');
    const shouted = postMedia.replace('application/vnd', 'Application/VND');
    accepted(await ask('POST', '/posts', { headers: { 'Content-Type': shouted }, body, payload: body,
                                           contentType: 'application/vnd.tent.post.v0+json' }));
});

test('a payload that its hash does not fit is refused', async () => {
    refused(await ask('POST', '/posts', { headers: { 'Content-Type': postMedia }, body: statusPost('other'),
                                          payload: statusPost('one'), contentType: postMedia }));
});

test('a chunked payload, with and without its hash', async () => {
    const pieces = ['{"type":"', statusType, '","content":{"text":"in ', 'pieces ', 'é"}}'];
    const headers = { 'Content-Type': postMedia };
    accepted(await ask('POST', '/posts', { headers, pieces, payload: pieces.join(''), contentType: postMedia }));
    accepted(await ask('POST', '/posts', { headers, pieces }));
    refused(await ask('POST', '/posts', { headers, pieces, payload: pieces.join('') + ' ', contentType: postMedia }));
});

test('a multipart payload with its hash, and the attachment that comes back', async () => {
    const bytes = readFileSync(config.attachment);
    const type = 'multipart/form-data; boundary="interop-boundary"';
    const body = Buffer.concat([
        Buffer.from(`--interop-boundary\r\nContent-Disposition: form-data; name="post"; filename="post.json"\r\nContent-Type: ${postMedia}\r\n\r\n`
                    + statusPost('with a file')
                    + '\r\n--interop-boundary\r\nContent-Disposition: form-data; name="photos[0]"; filename="p.bin"\r\n'
                    + 'Content-Type: application/octet-stream\r\n\r\n'),
        bytes, Buffer.from('\r\n--interop-boundary--\r\n')]);
    const made = accepted(await ask('POST', '/posts', { headers: { 'Content-Type': type }, body, payload: body, contentType: type }));
    const answer = await ask('GET', `/attachments/${entity}/${made.post.attachments[0].digest}`);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, bytes);
    authentic(answer, answer.headers['server-authorization'].includes('hash='));
});

test('app takes part in the MAC, and so does dlg (section 5.1)', async () => {
    accepted(await ask('GET', feed, { app: config.app.app }));
    accepted(await ask('GET', feed, { app: config.app.app, dlg: 'd8djwekds9cj' }));
});

test('an app that does not own the credentials is refused', async () => {
    refused(await ask('GET', feed, { app: 'p9Qe2mB4SxuC1dJ7aLr0Tg' }));
});

test('ext takes part in the MAC, whatever a header may hold', async () => {
    accepted(await ask('GET', feed, { ext: 'some-app-data' }));
    accepted(await ask('GET', feed, { ext: "a=1, b = '2' !#$%&()*+-./:;<=>?@[]^_`{|}~" }));
    accepted(await ask('GET', feed, { ext: 'with app', app: config.app.app, dlg: 'd' }));
});

test('quotes and backslashes in ext, which the reference server refuses, are refused here', async () => {
    for (const ext of ['say "hi"', 'back\\slash', 'both \\"']) {
        const url = `http://${api.host}/posts`;
        const { header } = hawk.client.header(url, 'GET', { credentials, ext });
        await assert.rejects(hawk.server.authenticate(
            { method: 'GET', url: '/posts', host: api.hostname, port: api.port, authorization: header }, () => credentials));
        refused(await ask('GET', '/posts', { ext }));
    }
});

test('HEAD is signed under its own name and answered with a proof without a hash', async () => {
    const answer = await ask('HEAD', feed);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.length, 0);
    assert.ok(!answer.headers['server-authorization'].includes('hash='));
    authentic(answer, false);
});

test('an unchanged post is answered with 304 and a proof without a hash', async () => {
    const first = await ask('GET', privatePost);
    accepted(first);
    const again = await ask('GET', privatePost, { headers: { 'If-None-Match': first.headers.etag } });
    assert.equal(again.status, 304);
    assert.ok(!again.headers['server-authorization'].includes('hash='));
    authentic(again, false);
});

test('answers with errors carry the proof, too', async () => {
    accepted(await ask('GET', `/posts/${entity}/${'A'.repeat(22)}`), 404);
    accepted(await ask('GET', '/posts?limit=none'), 400);
});

test('a wrong MAC, a wrong key and an unknown id get 403 (section 5.5)', async () => {
    const { header } = hawk.client.header(`http://${api.host}/posts`, 'GET', { credentials });
    refused(await ask('GET', feed, { header }));
    refused(await ask('GET', feed, { credentials: { ...credentials, key: credentials.key + 'x' } }));
    refused(await ask('GET', feed, { credentials: { ...credentials, id: 'kRe4dEnT1aLpoStId00001' } }));
});

test('host and port take part in the MAC (section 5.2)', async () => {
    for (const url of [`http://${api.hostname}/posts`, `http://example.com:${api.port}/posts`]) {
        const { header } = hawk.client.header(url, 'GET', { credentials });
        refused(await ask('GET', '/posts', { header }));
    }
});

test('a nonce serves once (section 5.6)', async () => {
    const once = { timestamp: now(), nonce: 'once-only' };
    accepted(await ask('GET', feed, once));
    refused(await ask('GET', feed, once));
    accepted(await ask('GET', feed, { ...once, nonce: 'twice' }));
});

test('a stale time gets 401 with a tsm that sets the client\'s clock (section 5.5)', async () => {
    for (const wrong of [-3600, 3600, -61, 120]) {
        const stale = await ask('GET', feed, { timestamp: now() + wrong });
        refused(stale, 401);
        // Throws unless tsm fits, and unless ts, tsm and error are all there is.
        const seen = hawk.client.authenticate(stale.raw, credentials, stale.artifacts).headers['www-authenticate'];
        assert.equal(seen.error, 'Stale timestamp');
        const offset = Number(seen.ts) * 1000 - (Date.now() + wrong * 1000);
        accepted(await ask('GET', feed, { timestamp: Math.floor((Date.now() + wrong * 1000 + offset) / 1000) }));
    }
});

test('a stale time with a wrong key learns nothing', async () => {
    const answer = await ask('GET', feed, { timestamp: now() - 3600, credentials: { ...credentials, key: 'wrong' } });
    refused(answer);
    assert.equal(answer.headers['www-authenticate'], undefined);
});

const bewitFor = (target, more = {}) => hawk.uri.getBewit(`http://${api.host}${target}`, { credentials, ttlSec: 300, ...more });

test('a bewit opens a private post for GET and HEAD, without a proof in the answer (section 5.7)', async () => {
    assert.equal((await ask('GET', privatePost, { signed: false })).status, 404);
    const target = `${privatePost}?bewit=${bewitFor(privatePost)}`;
    const answer = await ask('GET', target, { signed: false });
    assert.equal(answer.status, 200, answer.body.toString());
    assert.equal(JSON.parse(answer.body).post.id, config.private);
    assert.equal(answer.headers['server-authorization'], undefined);
    assert.equal((await ask('HEAD', target, { signed: false })).status, 200);
});

test('a bewit beside other parameters, before and after it, and with ext', async () => {
    const plain = `${privatePost}?version=latest&max_refs=0`;
    const bewit = bewitFor(plain);
    for (const target of [`${plain}&bewit=${bewit}`, `${privatePost}?bewit=${bewit}&version=latest&max_refs=0`,
                          `${privatePost}?version=latest&bewit=${bewit}&max_refs=0`])
        assert.equal((await ask('GET', target, { signed: false })).status, 200, target);
    const ext = bewitFor(privatePost, { ext: 'some ext & "more"' });
    assert.equal((await ask('GET', `${privatePost}?bewit=${ext}`, { signed: false })).status, 200);
});

test('a bewit that is expired, for another target, cut or for another method is refused', async () => {
    const other = bewitFor(`${privatePost}?version=latest`);
    const expired = bewitFor(privatePost, { localtimeOffsetMsec: -301_000 });
    const good = bewitFor(privatePost);
    for (const bewit of [other, expired, good.slice(0, -6), good.replace(/^./, c => (c === 'a' ? 'b' : 'a')), '!!'])
        refused(await ask('GET', `${privatePost}?bewit=${bewit}`, { signed: false }));
    refused(await ask('DELETE', `${privatePost}?bewit=${good}`, { signed: false }));
});

// ---- our client, their server

const peer = spawn(config.peer, [], { stdio: ['pipe', 'pipe', 'inherit'] });
const answers = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();

async function ours(question) {
    peer.stdin.write(JSON.stringify(question) + '\n');
    const { value, done } = await answers.next();
    assert.ok(!done, 'hawk_peer ended');
    const answer = JSON.parse(value);
    assert.equal(answer.error, undefined);
    return answer;
}

const known = { id: 'kRe4dEnT1aLpoStId00001', key: 'onion-vector-key-0123456789', algorithm: 'sha256' };
const look = id => (id === known.id ? known : null);
const onion = 'aliceexamplexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxd.onion';
const json = 'application/vnd.tent.post.v0+json';
let nonces = 0;

function question(more = {}) {
    return { id: known.id, key: known.key, method: 'GET', target: '/posts', host: onion, ts: now(), nonce: `n${++nonces}`, ...more };
}

// What their server makes of a request of ours: what it understood, or its refusal.
async function judged(asked, options = {}) {
    const { header } = await ours({ ask: 'header', ...asked });
    const request = { method: asked.method, url: asked.target, headers: { host: asked.host, authorization: header,
                                                                         'content-type': asked.content_type } };
    return hawk.server.authenticate(request, look, options);
}

test('our header is accepted and understood: plain, with app, dlg and ext', async () => {
    await judged(question());
    const { artifacts } = await judged(question({ target: '/posts?a=b%20c&d=%2F', ext: "e = 'x', [y]", app: 'p9Qe2mB4SxuC1dJ7aLr0Tg', dlg: 'dd' }));
    assert.deepEqual([artifacts.app, artifacts.dlg, artifacts.ext], ['p9Qe2mB4SxuC1dJ7aLr0Tg', 'dd', "e = 'x', [y]"]);
    assert.equal((await judged(question({ app: 'alone' }))).artifacts.app, 'alone');
});

test('our payload hash is theirs, and a changed payload shows', async () => {
    const asked = question({ method: 'POST', payload: statusPost('café\n'), content_type: postMedia });
    await judged(asked, { payload: asked.payload });
    await assert.rejects(judged({ ...asked, nonce: 'other' }, { payload: asked.payload + ' ' }), /payload hash/);
    const shouted = question({ method: 'POST', payload: 'x', content_type: '  Text/PLAIN ; charset=utf-8' });
    await judged(shouted, { payload: 'x' });
});

test('hosts with and without a port, in any case', async () => {
    await judged(question({ host: `${onion}:8080` }));
    await judged(question({ host: 'Example.COM' }));
    await judged(question({ host: 'Example.COM:443' }));
});

test('a wrong key is refused', async () => {
    await assert.rejects(judged(question({ key: 'another key' })), /Bad mac/);
});

test('MACs over backslashes and line feeds in ext are theirs (section 5.2)', async () => {
    for (const ext of ['a\\b', 'line\nfeed', '\\n', '\\\n\\', 'quote " and \\"']) {
        const asked = question({ ext });
        const theirs = hawk.crypto.calculateMac('header', known, { ...asked, resource: asked.target, port: 80 });
        assert.equal((await ours({ ask: 'header', ...asked })).mac, theirs, ext);
    }
});

test('what their client writes for quotes and backslashes in ext is not read as something else', async () => {
    for (const ext of ['say "hi"', 'x", app="y']) {
        const { header } = hawk.client.header(`http://${onion}/posts`, 'GET', { credentials: known, ext });
        assert.equal((await ours({ ask: 'read', value: header })).readable, false, header);
    }
});

test('many requests, each signed by both, with the same MAC', async () => {
    // A fixed seed, so that a failure comes back.
    let state = 20240917;
    const pick = list => list[(state = (state * 1103515245 + 12345) % 2147483648) % list.length];
    const words = ['', 'a', 'Zz09-_', 'é☕', '%2F', '~!*()', 'x=y&z', '0', '\u{1d11e}'];
    for (let i = 0; i < 400; ++i) {
        const method = pick(['GET', 'HEAD', 'POST', 'PUT', 'DELETE']);
        const path = `/posts/${encodeURIComponent(pick(words))}${pick(['', '?', '?q=' + encodeURIComponent(pick(words))])}`;
        const port = pick([80, 443, 8080, 65535]);
        const payload = pick([undefined, '', '{}', pick(words) + '\r\n' + pick(words)]);
        const contentType = pick([json, 'multipart/form-data; boundary=x', '']);
        const more = { ext: pick(words), app: pick(['', 'app1']), dlg: pick(['', 'dlg1']) };
        const asked = question({ method, target: path, host: port === 80 ? onion : `${onion}:${port}`, ts: 1_600_000_000 + i, ...more,
                                 ...(payload === undefined ? {} : { payload, content_type: contentType }) });
        const hash = payload === undefined ? '' : hawk.crypto.calculatePayloadHash(payload, 'sha256', contentType);
        const theirs = hawk.crypto.calculateMac('header', known, { ...asked, resource: path, host: onion, port, hash });
        assert.equal((await ours({ ask: 'header', ...asked })).mac, theirs, JSON.stringify(asked));
    }
});

test('their Server-Authorization holds for us, with hash, without, with ext and app (section 5.4)', async () => {
    const body = '{"posts":[],"pages":{}}';
    for (const [more, reply] of [[{}, { payload: body, contentType: json }], [{}, {}], [{}, { ext: 'reply ext', payload: body, contentType: json }],
                                 [{ app: 'a', dlg: 'd', ext: 'request ext' }, { payload: body, contentType: json }]]) {
        const asked = question(more);
        const { artifacts } = await judged(asked);
        const value = hawk.server.header(known, artifacts, reply);
        const check = { ask: 'verify', ...asked, value, ...(reply.payload ? { payload: body, content_type: json } : {}) };
        const holds = async changed => (await ours({ ...check, ...changed })).holds;
        assert.equal(await holds({}), true, value);
        assert.equal(await holds({ nonce: 'other' }), false, 'another request');
        assert.equal(await holds({ key: 'other' }), false, 'another key');
        assert.equal(await holds({ value: value.replace('mac="', 'mac="A') }), false, 'another mac');
        assert.equal(await holds({ value: '' }), false, 'none');
        if (reply.payload)
            assert.equal(await holds({ payload: body + ' ' }), false, 'another body');
    }
});

test('their answer to a stale request sets our clock (section 5.5)', async () => {
    const asked = question({ ts: now() - 3600 });
    const error = await judged(asked).then(() => assert.fail('accepted'), caught => caught);
    const value = error.output.headers['WWW-Authenticate'];
    assert.match(value, /Stale timestamp/);
    const { ts } = await ours({ ask: 'stale', key: known.key, value });
    assert.ok(Math.abs(ts - now()) <= 2, value);
    await judged(question({ ts }));
    assert.equal((await ours({ ask: 'stale', key: 'other', value })).ts, null);
    assert.equal((await ours({ ask: 'stale', key: known.key, value: value.replace(/ts="\d/, 'ts="9') })).ts, null);
});

test('our bewits are accepted by their server (section 5.7)', async () => {
    const target = '/posts/http%3A%2F%2Falice/x?version=1';
    for (const more of [{}, { ext: 'xandyandz' }, { host: `${onion}:8080` }]) {
        const { bewit } = await ours({ ask: 'bewit', ...question({ target, exp: now() + 60, ...more }) });
        const request = url => ({ method: 'GET', url, headers: { host: more.host ?? onion } });
        const read = await hawk.uri.authenticate(request(`${target}&bewit=${bewit}`), look);
        assert.equal(read.attributes.ext, more.ext ?? '');
        await assert.rejects(hawk.uri.authenticate(request(`${target}1&bewit=${bewit}`), look), /Bad mac/);
    }
    const { bewit } = await ours({ ask: 'bewit', ...question({ exp: now() - 1 }) });
    await assert.rejects(hawk.uri.authenticate({ method: 'GET', url: `/posts?bewit=${bewit}`, headers: { host: onion } }, look), /expired/);
});

// Over a real connection: their server in Node's, our header, their answer read by us.
test('a whole exchange over HTTP with their server', async () => {
    const server = http.createServer(async (request, response) => {
        const parts = [];
        for await (const part of request) parts.push(part);
        try {
            const { artifacts } = await hawk.server.authenticate(request, look, { payload: Buffer.concat(parts) });
            const payload = '{"post":{}}';
            response.setHeader('Server-Authorization', hawk.server.header(known, artifacts, { payload, contentType: json }));
            response.setHeader('Content-Type', json);
            response.end(payload);
        } catch (error) {
            response.writeHead(error.output?.statusCode ?? 500, error.output?.headers);
            response.end(String(error.message));
        }
    });
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
        const { port } = server.address();
        const asked = question({ method: 'PUT', target: '/posts/x/y?z=%20', host: `127.0.0.1:${port}`, payload: statusPost('é'), content_type: postMedia });
        const { header } = await ours({ ask: 'header', ...asked });
        const answer = await send({ host: '127.0.0.1', port, method: 'PUT', path: asked.target,
                                    headers: { Authorization: header, 'Content-Type': postMedia } }, asked.payload);
        assert.equal(answer.status, 200, answer.body.toString());
        const check = { ask: 'verify', ...asked, value: answer.headers['server-authorization'], payload: answer.body.toString(), content_type: json };
        assert.equal((await ours(check)).holds, true);
    } finally {
        server.close();
        server.closeAllConnections?.();
    }
});

// A request from the node's first second is stale on purpose: its nonce could be from before.
const started = now();
while (now() <= started)
    await sleep(50);
let passed = 0;
for (const { name, run } of tests) {
    try {
        await run();
        ++passed;
        console.log(`ok    ${name}`);
    } catch (error) {
        console.log(`FAIL  ${name}\n      ${String(error.stack ?? error).split('\n').slice(0, 6).join('\n      ')}`);
    }
}
peer.stdin.end();
console.log(`${passed} passed, ${tests.length - passed} failed`);
process.exitCode = passed === tests.length ? 0 : 1;
