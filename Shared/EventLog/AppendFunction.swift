internal import Digests

/// The server-side part of the log: a library of Redis Functions (Redis 7), which runs as one step.
///
/// Its name ends with a digest of its code, so that replicas of two versions work side by side during an upgrade, each with its own.
enum AppendFunction {
  static let append = "martlet_append_" + Digests.hex(Digests.sha256(code.utf8)).prefix(12)
  static let source = "#!lua name=\(append)\n\(code)\nredis.register_function('\(append)', append)\n"

  /// `FCALL <name> <n> KEYS… ARGV…`
  ///
  /// KEYS: events and epoch of the shard, seen and seen-before of this writer, the same of everyone, this writer's fence, normal and urgent commands and
  /// the deadlines of the shard; then state and history of each appliance in this call; then the open commands of each appliance that has a step.
  /// ARGV: epoch's random part, window, window's lifetime in ms, history length, history's lifetime in ms, types per appliance, open commands per appliance, this call's generation
  /// or nothing, number of appliances, their channels; then per entry
  /// seven: flags (`d` discrete, `t` telemetry, `x` dead letter; followed by `w` for the writer's window or `e` for everyone's, and by `?` if it may be a duplicate), the appliance's index (dead letter: the reason),
  /// the type (topic), the order in µs (receipt), the fingerprint or nothing, the event's JSON (payload), a command's step or nothing:
  /// `o<key> <deadline in µs> <type> <n|u> <id>` opens, `s<key> <id>` tells that it was sent, `c<key> <id>` closes; `<key>` is the place of the appliance's open commands in KEYS.
  /// Answers one string per entry: nothing for a duplicate, `-` for a step that is refused, else the id, with ` late` behind it for a late event. Answers the error `FENCED` for a call of an older generation.
  private static let code = """
    local function append(keys, args)
      local events, epoch = keys[1], keys[2]
      local windows = {
        w = { seen = keys[3], before = keys[4], fresh = {}, added = {} },
        e = { seen = keys[5], before = keys[6], fresh = {}, added = {} },
      }
      local fence, deadlines = keys[7], keys[10]
      local lanes = { n = keys[8], u = keys[9] }
      local windowMax, windowMs, historyMax, historyMs = tonumber(args[2]), args[3], args[4], args[5]
      local typesMax, openMax, generation, appliances = tonumber(args[6]), tonumber(args[7]), args[8], tonumber(args[9])
      if generation ~= '' and redis.call('GET', fence) ~= generation then
        return redis.error_reply('FENCED this writer has made a newer call')
      end
      if redis.call('EXISTS', epoch) == 0 then
        local now = redis.call('TIME')
        redis.call('SET', epoch, string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)) .. ':' .. args[1])
      end
      local outcomes, newest, touched = {}, {}, {}

      local function isDuplicate(window, fingerprint)
        return window.fresh[fingerprint] or redis.call('SISMEMBER', window.seen, fingerprint) == 1
          or redis.call('SISMEMBER', window.before, fingerprint) == 1
      end

      -- Whether the event is older than the newest of its type; if not, it is the newest from now on.
      local function isLate(index, type, order)
        local state = newest[index]
        if not state then state = {}; newest[index] = state end
        local known = state[type]
        if not known then
          local stored = redis.call('HGET', keys[9 + 2 * index], 'o:' .. type)
          if not stored and redis.call('HLEN', keys[9 + 2 * index]) >= 2 * typesMax then return false end
          known = { order = tonumber(stored or '-1') }
          state[type] = known
        end
        if order < known.order then return true end
        known.order = order
        known.changed = true
        return false
      end

      local function keepDiscrete(index, id, body)
        local history = keys[10 + 2 * index]
        local kept = redis.pcall('XADD', history, 'MAXLEN', '=', historyMax, id, 'e', body)
        if type(kept) == 'table' and kept.err then
          -- It holds ids from a life of the log that is over.
          redis.call('DEL', history)
          redis.call('XADD', history, id, 'e', body)
        end
        touched[history] = true
      end

      local function appendEvent(flags, index, type, order, body)
        local late = isLate(index, type, tonumber(order))
        local id
        if late then id = redis.call('XADD', events, '*', 'e', body, 'late', '1') else id = redis.call('XADD', events, '*', 'e', body) end
        local message = string.sub(body, 1, -2) .. ',"id":"' .. id .. '"}'
        local known = newest[index][type]
        if known and not late then known.message = message end
        if string.sub(flags, 1, 1) == 'd' then keepDiscrete(index, id, body) end
        redis.call('PUBLISH', args[9 + index], message)
        return late and id .. ' late' or id, message
      end

      -- Takes a command a step further. False when it has its outcome, was never open, or too many are open; the stream to queue it in for a new one.
      local function advance(step)
        local kind, at, rest = string.match(step, '^(%l)(%d+) (.*)$')
        local open = keys[tonumber(at)]
        if kind == 'o' then
          local deadline, type, lane, id = string.match(rest, '^(%d+) (%S+) (%l) (.*)$')
          -- A stop finds room when nothing else does.
          if redis.call('HLEN', open) >= (lane == 'u' and 2 * openMax or openMax) then return false end
          if redis.call('HSETNX', open, id, deadline .. ' ' .. type .. ' ' .. lane) == 0 then return false end
          redis.call('ZADD', deadlines, deadline, open .. ' ' .. id)
          return lanes[lane]
        end
        local standing = redis.call('HGET', open, rest)
        if not standing then return false end
        if kind == 's' then
          if string.sub(standing, -2) == ' s' then return false end
          redis.call('HSET', open, rest, standing .. ' s')
        else
          redis.call('HDEL', open, rest)
          redis.call('ZREM', deadlines, open .. ' ' .. rest)
        end
        return true
      end

      for at = 10 + appliances, #args, 7 do
        local flags, fingerprint, step = args[at], args[at + 4], args[at + 6]
        local window = windows[string.sub(flags, 2, 2)]
        local lane = true
        if fingerprint ~= '' and string.sub(flags, 3, 3) == '?' and isDuplicate(window, fingerprint) then
          outcomes[#outcomes + 1] = ''
          lane = false
        elseif step ~= '' then
          lane = advance(step)
          if not lane then outcomes[#outcomes + 1] = '-' end
        end
        if lane then
          if fingerprint ~= '' and not window.fresh[fingerprint] then
            window.fresh[fingerprint] = true
            window.added[#window.added + 1] = fingerprint
          end
          if string.sub(flags, 1, 1) == 'x' then
            outcomes[#outcomes + 1] =
              redis.call('XADD', events, '*', 'reason', args[at + 1], 'topic', args[at + 2], 'at', args[at + 3], 'payload', args[at + 5])
          else
            local outcome, message = appendEvent(flags, tonumber(args[at + 1]), args[at + 2], args[at + 3], args[at + 5])
            outcomes[#outcomes + 1] = outcome
            if lane ~= true then redis.call('XADD', lane, '*', 'e', message) end
          end
        end
      end

      for index, types in pairs(newest) do
        local fields = {}
        for type, known in pairs(types) do
          if known.changed then
            fields[#fields + 1] = 'o:' .. type
            fields[#fields + 1] = string.format('%.0f', known.order)
            fields[#fields + 1] = 'm:' .. type
            fields[#fields + 1] = known.message
          end
        end
        if #fields > 0 then redis.call('HSET', keys[9 + 2 * index], unpack(fields)) end
      end
      for history in pairs(touched) do redis.call('PEXPIRE', history, historyMs) end
      for _, window in pairs(windows) do
        if #window.added > 0 then
          redis.call('SADD', window.seen, unpack(window.added))
          redis.call('PEXPIRE', window.seen, windowMs)
          if redis.call('SCARD', window.seen) >= windowMax then redis.call('RENAME', window.seen, window.before) end
        end
      end
      return outcomes
    end
    """
}
