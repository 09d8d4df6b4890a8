// SPDX-License-Identifier: BSD-3-Clause
// What npm-cap.sh has the npm package cap do on cap0: capture FILTER COUNT,
// send, facts.
'use strict';
const crypto = require('crypto');
const { Cap } = require('cap');

const buffer = Buffer.alloc(65535);

function capture(filter, count) {
	const cap = new Cap();
	let seen = 0;

	console.log('link type', cap.open('cap0', filter, 1024 * 1024, buffer));
	cap.on('packet', (length, truncated) => {
		const digest = crypto.createHash('sha256').update(buffer.subarray(0, length)).digest('hex');
		console.log(`${++seen}: ${length} ${truncated} ${digest}`);
		// Closed inside the callback, as its users do.
		if (seen === Number(count))
			cap.close();
	});
}

function send() {
	const cap = new Cap();

	cap.open('cap0', 'ip', 1024 * 1024, buffer);
	for (let i = 0; i < 20; i++) {
		const frame = Buffer.alloc(60);

		frame.write('020000007766' + '020000007702' + '0800' + '4500002e', 'hex');
		frame.writeUInt16BE(i, 18);
		frame.write('400040110000' + '0a4d0002' + '0a4d0066' + '0fa01388001a0000', 20, 'hex');
		frame.write('from npm cap', 42);
		cap.send(frame, frame.length);
	}
	cap.close();
}

function facts() {
	console.log(JSON.stringify(Cap.deviceList()));
	console.log(Cap.findDevice('10.77.0.2'));
	for (const [device, filter] of [['nosuch0', ''], ['cap0', 'udp port']]) {
		try {
			new Cap().open(device, filter, 1024 * 1024, buffer);
		} catch (error) {
			console.log(error.message);
		}
	}
}

const [way, ...args] = process.argv.slice(2);
({ capture, send, facts })[way](...args);
