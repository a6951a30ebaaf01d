//go:build !minimal

package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"

	"github.com/goodgate/goodgate/internal/fleet"
)

// script is a Lua program that the server runs atomically.
type script struct{ text, hash string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text, hex.EncodeToString(sum[:])}
}

// A table has three keys: a hash of its entries, a sorted set of the ends of leases, and
// its revision. An entry's value is "revision:milliseconds:" and the value.
//
// The scripts read the server's clock and then write, which servers allow from version 5
// on: they replicate the written data.

// expire begins the scripts on tables: it deletes expired entries. The next revision is
// the time, so that it also grows across a flush.
const expire = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function turn()
  local r = math.max(tonumber(redis.call('GET', KEYS[3]) or '0') + 1, now)
  redis.call('SET', KEYS[3], string.format('%.0f', r))
  return r
end
local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)
if #over > 0 then
  redis.call('HDEL', KEYS[1], unpack(over))
  redis.call('ZREM', KEYS[2], unpack(over))
  turn()
end
`

// put takes key, value, revision (-1 = any) and lease in milliseconds. It returns whether
// it has written the entry, its revision and the time.
var put = newScript(expire + `
local old = redis.call('HGET', KEYS[1], ARGV[1])
local revision, value = 0, nil
if old then
  local r, rest = string.match(old, '^(%d+):%d+:()')
  revision, value = tonumber(r), string.sub(old, rest)
end
local want = tonumber(ARGV[3])
if want >= 0 and want ~= revision then return {0, string.format('%.0f', revision), string.format('%.0f', now)} end
if want >= 0 or value ~= ARGV[2] then revision = turn() end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f:%.0f:', revision, now) .. ARGV[2])
local lease = tonumber(ARGV[4])
if lease > 0 then redis.call('ZADD', KEYS[2], now + lease, ARGV[1]) else redis.call('ZREM', KEYS[2], ARGV[1]) end
return {1, string.format('%.0f', revision), string.format('%.0f', now)}
`)

// get takes a key and returns its entry, or false.
var get = newScript(expire + `return redis.call('HGET', KEYS[1], ARGV[1])`)

// remove takes key and revision (-1 = any), and returns 0 at a conflict.
var remove = newScript(expire + `
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old then return 1 end
local want = tonumber(ARGV[2])
if want >= 0 and want ~= tonumber(string.match(old, '^(%d+)')) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
turn()
return 1
`)

// list takes the known revision, and returns the table's revision and the time. If the
// revisions differ it also returns keys and entries alternately.
var list = newScript(expire + `
local r = redis.call('GET', KEYS[3]) or '0'
local out = {r, string.format('%.0f', now)}
if r ~= '0' and r == ARGV[1] then out[3] = 'same' return out end
out[3] = 'all'
for _, v in ipairs(redis.call('HGETALL', KEYS[1])) do out[#out + 1] = v end
return out
`)

// reach is how many bursts in the future a bucket may become full.
var reach = strconv.Itoa(1 + fleet.MaxDebt)

// remember is how many milliseconds a full bucket is kept.
var remember = strconv.FormatInt(fleet.Remember.Milliseconds(), 10)

// take has a bucket in each key: the time in microseconds at which it is full, see
// [fleet.Use.Apply]. Each key has five arguments: tokens, microseconds per token, burst,
// 1 if exact, and the microseconds since the tokens were taken. For each key it returns
// the level in thousandths, and whether the use was admitted.
var take = newScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local out = {}
for i, key in ipairs(KEYS) do
  local tokens, every, burst, exact = tonumber(ARGV[5*i-4]), tonumber(ARGV[5*i-3]), tonumber(ARGV[5*i-2]), ARGV[5*i-1] == '1'
  local full = math.max(tonumber(redis.call('GET', key) or '0'), now - tonumber(ARGV[5*i]))
  local after, room, taken = full + tokens * every, burst * every, 0
  if not exact then
    full = math.min(after, now + ` + reach + ` * room)
  elseif after - now <= room then
    full, taken = after, 1
  end
  local keep = math.ceil((full - now) / 1000) + ` + remember + `
  if keep > 0 and tokens > 0 and (taken == 1 or not exact) then
    redis.call('SET', key, string.format('%.0f', full), 'PX', keep)
  end
  out[2*i-1] = math.floor((burst - math.max(full - now, 0) / every) * 1000)
  out[2*i] = taken
end
return out
`)
