internal import Digests
internal import Models

/// The broker's server-side part: a library of Redis Functions (Redis 7), each of which runs as one step.
///
/// Its names end with a digest of its code, so that replicas of two versions work side by side during an upgrade, each with its own.
enum SwitchboardFunctions {
  static let suffix = String(Digests.hex(Digests.sha256(code.utf8)).prefix(12))

  enum Name: String, CaseIterable { case attach, detach, mail, letters, begin, commit, due, beat }

  static func name(_ name: Name) -> String { "martlet_signal_\(name.rawValue)_\(suffix)" }

  static let source =
    "#!lua name=martlet_signal_\(suffix)\n\(code)\n"
    + Name.allCases.map { "redis.register_function('\(name($0))', \($0.rawValue))\n" }.joined()

  private static let code = """
    local function clock()
      local now = redis.call('TIME')
      return now[1] * 1000000 + now[2]
    end

    local function whole(number) return string.format('%.0f', number) end

    -- Tells a replica that something waits for one of its connections.
    local function ring(replica, connection)
      if replica and connection then redis.call('PUBLISH', '\(Bus.signalRingPrefix)' .. replica, connection) end
    end

    -- KEYS: device, watches. ARGV: replica, connection, the generation that it must still have or nothing, life in ms.
    -- A device is connected from now on. Answers its generation and its sessions, or `superseded`.
    local function attach(keys, args)
      local known = redis.call('HMGET', keys[1], 'replica', 'connection', 'generation')
      if args[3] ~= '' and known[3] and known[3] ~= args[3] then return { 'superseded' } end
      local generation = clock()
      if known[3] and tonumber(known[3]) >= generation then generation = tonumber(known[3]) + 1 end
      redis.call('HSET', keys[1], 'replica', args[1], 'connection', args[2], 'generation', whole(generation), 'since', whole(clock() / 1000))
      redis.call('PEXPIRE', keys[1], args[4])
      if known[1] ~= args[1] or known[2] ~= args[2] then ring(known[1], known[2]) end
      return { whole(generation), unpack(redis.call('SMEMBERS', keys[2])) }
    end

    -- KEYS: device, watches. ARGV: generation. The device is not connected any more, if it has no newer connection. Answers its sessions.
    local function detach(keys, args)
      if redis.call('HGET', keys[1], 'generation') == args[1] then redis.call('DEL', keys[1]) end
      return redis.call('SMEMBERS', keys[2])
    end

    local function base(hash) return tonumber(redis.call('HGET', hash, 'base') or 0) end

    -- An end's frames are numbered, the oldest in its list by the field `base` of the end's hash. They stay until its connection knows that the client has
    -- them. Drops those before `had` and answers up to `most` from `next` on, behind `more` or `all` and the number of the first. A connection that
    -- begins has neither number: it is told all.
    local function take(hash, list, most, had, next)
      local first = base(hash)
      had, next = tonumber(had) or first, tonumber(next) or first
      if had > first then
        redis.call('LTRIM', list, had - first, -1)
        redis.call('HSET', hash, 'base', whole(had))
        first = had
      end
      if next < first then next = first end
      -- Down to -1 it would be all of the list.
      local frames = tonumber(most) > 0 and redis.call('LRANGE', list, next - first, next - first + most - 1) or {}
      local left = redis.call('LLEN', list) - (next - first) - #frames
      return { left > 0 and 'more' or 'all', whole(next), unpack(frames) }
    end

    -- Appends frames to an end's list. Should it have run out meanwhile, it begins anew with numbers that no frame had yet.
    local function append(hash, list, life, frames)
      if redis.call('EXISTS', list) == 0 and redis.call('EXISTS', hash) == 1 then
        redis.call('HSET', hash, 'base', whole(base(hash) + 1000000))
      end
      redis.call('RPUSH', list, unpack(frames))
      redis.call('PEXPIRE', list, life)
    end

    -- KEYS: device, mail. ARGV: generation, life in ms, mail's life in ms, most, numbers. What waits for a device; it is alive, and so is what it has to wait for.
    -- Else `absent` or `superseded`.
    local function mail(keys, args)
      local generation = redis.call('HGET', keys[1], 'generation')
      if not generation then return { 'absent' } end
      if generation ~= args[1] then return { 'superseded' } end
      redis.call('PEXPIRE', keys[1], args[2])
      local answer = take(keys[1], keys[2], args[4], args[5], args[6])
      if answer[1] == 'more' then redis.call('PEXPIRE', keys[2], args[3]) end
      return answer
    end

    -- KEYS: watch, letters. ARGV: replica and connection of the viewer, most, numbers. What waits for a session's viewer. Where the session is over, `gone` and
    -- the last frame, which says so. Else `superseded`.
    local function letters(keys, args)
      local seat = redis.call('HGET', keys[1], 'viewer')
      if seat and seat ~= args[1] then return { 'superseded' } end
      if seat then return take(keys[1], keys[2], args[2], args[3], args[4]) end
      return { 'gone', unpack(redis.call('LRANGE', keys[2], -1, -1)) }
    end

    -- KEYS: device, watches, watch, deadlines, mail, records. ARGV: session, viewer's seat, state, deadline, life in ms, sessions of one device at most,
    -- frame for the device, mail's life in ms, record, records at most. A session begins, if its device is where the state says. Answers `ok`, `moved` or `busy`.
    local function begin(keys, args)
      local device = redis.call('HMGET', keys[1], 'replica', 'connection', 'generation')
      if not device[3] or device[3] ~= args[11] then return 'moved' end
      if redis.call('SCARD', keys[2]) >= tonumber(args[6]) then return 'busy' end
      redis.call('HSET', keys[3], 'version', 1, 'state', args[3], 'viewer', args[2])
      redis.call('PEXPIRE', keys[3], args[5])
      redis.call('SADD', keys[2], args[1])
      redis.call('PEXPIRE', keys[2], args[5])
      redis.call('ZADD', keys[4], args[4], args[1])
      redis.call('PEXPIRE', keys[4], args[5])
      append(keys[1], keys[5], args[8], { args[7] })
      redis.call('XADD', keys[6], 'MAXLEN', '~', args[10], '*', 'record', args[9])
      ring(device[1], device[2])
      return 'ok'
    end

    -- Takes a session's own frames out of its device's mail: `<letter><session>…`.
    local function forget(hash, list, life, session)
      local kept = {}
      for _, frame in ipairs(redis.call('LRANGE', list, 0, -1)) do
        if string.sub(frame, 2, 37) ~= session then kept[#kept + 1] = frame end
      end
      redis.call('DEL', list)
      if #kept > 0 then append(hash, list, life, kept) end
    end

    -- KEYS: device, watches, watch, deadlines, mail, letters, records. ARGV: session, version that it was read with, state or nothing for its end,
    -- viewer's seat, deadline, life in ms, `f` to forget its mail, mail's life in ms, frames that may wait, record or nothing, records at most, number of
    -- frames for the device, those, and those for the viewer. A session's next state. Answers `ok`, `conflict` or `full`, and then nothing was done.
    local function commit(keys, args)
      local session = args[1]
      if redis.call('HGET', keys[3], 'version') ~= args[2] then return 'conflict' end
      local toDevice = tonumber(args[12])
      local toViewer = #args - 12 - toDevice
      if args[3] ~= '' then
        if redis.call('LLEN', keys[5]) + toDevice > tonumber(args[9]) or redis.call('LLEN', keys[6]) + toViewer > tonumber(args[9]) then return 'full' end
        redis.call('HSET', keys[3], 'version', args[2] + 1, 'state', args[3], 'viewer', args[4])
        redis.call('PEXPIRE', keys[3], args[6])
        redis.call('ZADD', keys[4], args[5], session)
        redis.call('PEXPIRE', keys[2], args[6])
        redis.call('PEXPIRE', keys[4], args[6])
      else
        redis.call('DEL', keys[3])
        redis.call('ZREM', keys[4], session)
        redis.call('SREM', keys[2], session)
        redis.call('XADD', keys[7], 'MAXLEN', '~', args[11], '*', 'record', args[10])
      end
      if args[7] == 'f' then forget(keys[1], keys[5], args[8], session) end
      if toDevice > 0 then
        append(keys[1], keys[5], args[8], { unpack(args, 13, 12 + toDevice) })
        local device = redis.call('HMGET', keys[1], 'replica', 'connection')
        ring(device[1], device[2])
      end
      if toViewer > 0 then
        append(keys[3], keys[6], args[3] ~= '' and args[6] or args[8], { unpack(args, 13 + toDevice) })
        ring(string.match(args[4], '^(%S+) (%d+)$'))
      end
      return 'ok'
    end

    -- KEYS: deadlines. ARGV: most, how long in ms nobody else is given them. Answers sessions whose time has come.
    local function due(keys, args)
      local now = clock()
      local sessions = redis.call('ZRANGEBYSCORE', keys[1], '-inf', whole(now), 'LIMIT', 0, args[1])
      for _, session in ipairs(sessions) do redis.call('ZADD', keys[1], whole(now + args[2] * 1000), session) end
      return sessions
    end

    -- KEYS: replicas, caretaker. ARGV: replica, `new` for its first, lease in ms, the caretaker's lease in ms. A replica is alive. Answers `caretaker`, `alive` or
    -- `lapsed`, the time in microseconds, and the replicas that are dead.
    local function beat(keys, args)
      local now = clock()
      local oldest = now - args[3] * 1000
      local last = redis.call('ZSCORE', keys[1], args[1])
      if args[2] ~= 'new' and (not last or tonumber(last) < oldest) then return { 'lapsed', whole(now) } end
      redis.call('ZADD', keys[1], whole(now), args[1])
      local holder = redis.call('GET', keys[2])
      if not holder or holder == args[1] then redis.call('SET', keys[2], args[1], 'PX', args[4]) end
      local role = (not holder or holder == args[1]) and 'caretaker' or 'alive'
      return { role, whole(now), unpack(redis.call('ZRANGEBYSCORE', keys[1], '-inf', '(' .. whole(oldest))) }
    end
    """
}
