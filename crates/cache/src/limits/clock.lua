-- Put before take.lua: the clock of Redis, which all who share the buckets share, in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
