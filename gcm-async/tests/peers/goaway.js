// An HTTP/2 server that ends sessions as it is told, before a service over HTTP/1.1.
//
//   node goaway.js PORT SERVICE-PORT MODE [CODE]
//
// MODE: `goaway` ends each session after 25 requests, with the error CODE and the last stream that was processed;
// `settings` changes how many streams it allows, up and down; `window` gives no window for bodies for a second.
'use strict';
const http = require('node:http');
const http2 = require('node:http2');

const [port, service, mode, code = '0'] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const settings = mode === 'window' ? { initialWindowSize: 0 } : { maxConcurrentStreams: 20 };
const server = http2.createServer({ settings });

server.on('session', (session) => {
    session.requests = 0;
    session.on('error', () => {});
    if (mode === 'settings') {
        let streams = 20;
        const timer = setInterval(() => {
            streams = streams === 20 ? 2 : 20;
            if (!session.destroyed) session.settings({ maxConcurrentStreams: streams });
        }, 100);
        session.on('close', () => clearInterval(timer));
    }
    if (mode === 'window') {
        setTimeout(() => {
            if (!session.destroyed) session.settings({ initialWindowSize: 65535 });
        }, 1000);
    }
});

server.on('stream', (stream, headers) => {
    const session = stream.session;
    stream.on('error', () => {});
    session.requests += 1;
    if (mode === 'goaway' && session.requests > 25) {
        // Above the last stream that the GOAWAY names: not processed.
        return;
    }
    if (mode === 'goaway' && session.requests === 25) {
        session.goaway(Number(code), stream.id);
        setTimeout(() => session.destroy(), 500);
    }
    const forward = http.request(
        { agent, port: service, path: headers[':path'], method: headers[':method'], headers: {
            authorization: headers.authorization, 'content-type': headers['content-type'] } },
        (reply) => {
            const answer = { ':status': reply.statusCode };
            for (const name of ['content-type', 'retry-after']) {
                if (reply.headers[name]) answer[name] = reply.headers[name];
            }
            if (!stream.destroyed) {
                stream.respond(answer);
                reply.pipe(stream);
            }
        },
    );
    forward.on('error', () => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
    stream.pipe(forward);
});

server.listen(Number(port), '127.0.0.1');
