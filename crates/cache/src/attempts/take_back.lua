-- KEYS: what the attempt was counted under. ARGV: limit. The attempt did not fail, so it is not counted.
for _, key in ipairs(KEYS) do
  local failures, level = unpack(redis.call('HMGET', key, 'failures', 'level'))
  failures, level = tonumber(failures or 0), tonumber(level or 0)
  if failures > 0 then
    if failures >= tonumber(ARGV[1]) then
      level = level - 1
      redis.call('HSET', key, 'locked_until', 0)
    end
    redis.call('HSET', key, 'failures', failures - 1, 'level', level)
  end
end
return 0
