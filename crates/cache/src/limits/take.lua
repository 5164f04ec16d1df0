-- KEYS: the buckets. ARGV: the cost, then of each bucket its units a second and its burst. `now` is in clock.lua.
-- Takes the cost from all of them or from none. Answers which one refused (0: none), and of each bucket the whole units
-- that remain, the microseconds until the cost fits, and those until one more unit remains.
-- The same law, for when Redis is away, is in bucket.rs.
local SLACK = 1e-6
local cost = tonumber(ARGV[1])
local levels, answer, refused = {}, {}, 0
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local level = 0
  local known = redis.call('GET', key)
  if known then
    local at, before = string.match(known, '^(%S+) (%S+)$')
    level = math.max(0, before - math.max(0, now - at) * rate / 1000000)
  end
  levels[i] = level
  if refused == 0 and level + math.min(cost, burst) > burst + SLACK then refused = i end
end
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local level = levels[i]
  local wait = math.max(0, math.ceil((level + math.min(cost, burst) - burst) / rate * 1000000))
  if refused == 0 then
    level = level + cost
    wait = 0
    redis.call('SET', key, string.format('%.0f %.17g', now, level), 'PX', math.ceil(level / rate * 1000) + 1)
  end
  local remaining = math.max(0, math.floor(burst - level + SLACK))
  local more = math.max(0, math.ceil((level - burst + remaining + 1) / rate * 1000000))
  if remaining >= burst then more = 0 end
  answer[#answer + 1] = remaining
  answer[#answer + 1] = wait
  answer[#answer + 1] = more
end
table.insert(answer, 1, refused)
return answer
