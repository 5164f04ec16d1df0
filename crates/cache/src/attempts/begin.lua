-- KEYS: what attempts are counted under. ARGV: limit, window, first lock, longest lock, memory (milliseconds).
-- Answers the milliseconds to wait; 0: go, and the attempt is counted as failed until it is taken back. Then 1 if it is
-- the first that a lock refuses.
-- The same law, for when Redis is away, is in tally.rs.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window, first, longest, memory = unpack(ARGV)
local wait, news = 0, 0
for _, key in ipairs(KEYS) do
  local locked_until, told = unpack(redis.call('HMGET', key, 'locked_until', 'told'))
  local rest = tonumber(locked_until or 0) - now
  wait = math.max(wait, rest)
  if rest > 0 and told ~= locked_until then
    redis.call('HSET', key, 'told', locked_until)
    news = 1
  end
end
if wait > 0 then return { wait, news } end
for _, key in ipairs(KEYS) do
  local since, failures, level = unpack(redis.call('HMGET', key, 'since', 'failures', 'level'))
  since, failures, level = tonumber(since or now), tonumber(failures or 0), tonumber(level or 0)
  if now - since >= tonumber(window) or failures >= tonumber(limit) then since, failures = now, 0 end
  failures = failures + 1
  local locked_until = 0
  if failures >= tonumber(limit) then
    locked_until = now + math.min(first * 2 ^ level, tonumber(longest))
    level = level + 1
  end
  redis.call('HSET', key, 'since', since, 'failures', failures, 'level', level,
    'locked_until', string.format('%.0f', locked_until))
  redis.call('PEXPIRE', key, level > 0 and memory or window)
end
return { 0, 0 }
