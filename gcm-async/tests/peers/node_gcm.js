// Sends with the package node-gcm to the emulator.
//
// usage: node node_gcm.js CLEAR TLS
//
// CLEAR and TLS are the emulator's addresses, which run with the script beside this file.
"use strict";

const assert = require("assert");
const gcm = require("node-gcm");
const { version } = require("node-gcm/package.json");

/** Everything that the package can say. */
function message(dryRun) {
    return new gcm.Message({
        collapseKey: "scores",
        priority: "high",
        contentAvailable: true,
        mutableContent: true,
        delayWhileIdle: true,
        timeToLive: 3600,
        restrictedPackageName: "com.example.app",
        dryRun,
        data: { score: "4x8", goals: 3, final: true },
        notification: { title: "Goal!", body: "3:1", icon: "ball", sound: "default", badge: "3", tag: "score" },
        fcm_options: { analytics_label: "campaign-1" },
    });
}

let sends = 0;

function send(sender, recipient, options, dryRun = false) {
    sends += 1;
    return new Promise((resolve, reject) => {
        const done = (error, reply) => (error ? reject(error) : resolve(reply));
        sender.send(message(dryRun), recipient, options, done);
    });
}

async function talk(origin) {
    const sender = new gcm.Sender("peer-key", { uri: `${origin}/gcm/send`, proxy: false });
    const once = { retries: 0 };

    assert.strictEqual((await send(sender, "4", once)).success, 1);
    assert.strictEqual((await send(sender, "4", once, true)).success, 1);
    assert.ok((await send(sender, "/topics/news", once)).message_id);
    assert.ok((await send(sender, { condition: "'news' in topics && 'cup' in topics" }, once)).message_id);
    assert.deepStrictEqual(await send(sender, { notificationKey: "family" }, once), {
        success: 2,
        failure: 1,
        failed_registration_ids: ["4"],
    });

    const mixed = await send(sender, ["4", "old", "gone"], once);
    assert.deepStrictEqual([mixed.success, mixed.failure, mixed.canonical_ids], [2, 1, 1]);
    assert.ok(mixed.results[0].message_id);
    assert.strictEqual(mixed.results[1].registration_id, "new");
    assert.deepStrictEqual(mixed.results[2], { error: "NotRegistered" });

    // The package sends again to the one that was busy.
    const again = await send(sender, ["4", "busy"], { retries: 2, backoff: 10 });
    assert.deepStrictEqual([again.success, again.failure], [2, 0]);

    const tokens = Array.from({ length: 1000 }, (_, number) => `t${number}`);
    assert.strictEqual((await send(sender, { registrationTokens: tokens }, once)).success, 1000);
    const replies = await Promise.all(tokens.slice(0, 64).map((token) => send(sender, token, once)));
    assert.ok(replies.every((reply) => reply.success === 1));

    const stranger = new gcm.Sender("another-key", { uri: `${origin}/gcm/send`, proxy: false });
    await assert.rejects(send(stranger, "4", once), (error) => error === 401);
    await assert.rejects(send(sender, { registrationTokens: [...tokens, "one more"] }, once), (error) => error === 400);
}

async function main() {
    for (const origin of process.argv.slice(2)) {
        await talk(origin);
    }
    console.log(`node-gcm ${version}: ${sends} sends over HTTP/1.1, in clear and under TLS`);
}

main().catch((error) => {
    console.error(`error: node-gcm ${version}:`, error);
    process.exit(1);
});
