-- SPDX-License-Identifier: Apache-2.0
-- A tools/call of 1 KiB as an MCP client posts it; every request has an id of its own.
local head = '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{"message":"'
local fill = string.rep("x", 1024 - #head - 20)
local id = 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["MCP-Protocol-Version"] = "2025-06-18"

function request()
	id = id + 1
	return wrk.format(nil, nil, nil, head .. fill .. '"}},"id":' .. id .. "}")
end

function done(summary, latency)
	local e = summary.errors
	print(string.format("BENCH %f %f %d", summary.requests / summary.duration * 1e6, latency:percentile(50),
		e.connect + e.read + e.write + e.status + e.timeout))
end
