import Testing

@testable import PostgresClient

@Suite struct PostgresConfigurationTests {
  @Test func `A configuration describes the server without the password`() throws {
    for url in ["postgres://jo:hush@db.example:5433/martlet", "host=db.example port=5433 dbname=martlet user=jo password=hush"] {
      let configuration = try PostgresConfiguration(url: url, password: "hush")
      #expect(configuration.endpoint == "db.example:5433/martlet as jo")
      #expect(!"\(configuration) \(String(reflecting: configuration))".contains("hush"))
      var dumped = ""
      dump(configuration, to: &dumped)
      #expect(!dumped.contains("hush"))
    }
  }

  @Test(arguments: ["", "nonsense", "postgres://a:hush@[::1", "postgres://a:hush%zz@b/c", "hots=x password=hush"])
  func `What is no address is refused without being quoted`(url: String) {
    let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(url: url) }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.description.contains("hush") == false)
  }
}

@Suite struct StatementCacheTests {
  private func key(_ sql: String, _ types: [UInt32] = []) -> StatementCache.Key { .init(sql: sql, types: types) }

  @Test func `A statement is prepared once, and the least recently used is given up`() {
    var cache = StatementCache(capacity: 2)
    let a = cache.use(key("a"))
    cache.remember(key("a"), name: a.name)
    let b = cache.use(key("b"))
    cache.remember(key("b"), name: b.name)
    #expect(a.isNew && b.isNew)
    #expect(cache.use(key("a")) == .init(name: a.name, isNew: false, evicted: []))
    let c = cache.use(key("c"))
    #expect(c.isNew && c.evicted == [b.name])
  }

  @Test func `Parameter types are told apart, and what was never prepared is not remembered`() {
    var cache = StatementCache(capacity: 8)
    cache.remember(key("a", [20]), name: cache.use(key("a", [20])).name)
    #expect(cache.use(key("a", [25])).isNew)
    cache.forget(key("a", [20]))
    #expect(cache.use(key("b")).evicted == ["m1"])
    #expect(cache.use(key("a", [25])).isNew)
  }
}

@Suite struct PoolStateTests {
  @Test func `A pool fills its places, then queues in order, then refuses`() {
    var state = PoolState<String, Int>(membersMax: 1, waitersMax: 1)
    guard case .connect = state.lease(), case .wait(let id) = state.lease() else {
      Issue.record("one place, then a wait")
      return
    }
    state.enqueue(id, 7)
    guard case .refused = state.lease() else {
      Issue.record("the queue is bounded")
      return
    }
    #expect(state.giveBack("first") == 7)
    #expect(state.giveBack("first") == nil)
    guard case .member("first") = state.lease() else {
      Issue.record("an idle connection is used again")
      return
    }
  }

  @Test func `An empty place is handed to the longest waiter`() {
    var state = PoolState<String, Int>(membersMax: 1, waitersMax: 4)
    _ = state.lease()
    for waiter in 1...3 {
      guard case .wait(let id) = state.lease() else { continue }
      state.enqueue(id, waiter)
      if waiter == 1 { #expect(state.abandon(id) == 1) }
    }
    #expect(state.giveBack(nil) == 2)
    #expect(state.giveBack(nil) == 3)
    #expect(state.giveBack(nil) == nil)
    guard case .connect = state.lease() else {
      Issue.record("the place is free again")
      return
    }
  }

  @Test func `A closed pool keeps nothing`() {
    var state = PoolState<String, Int>(membersMax: 2, waitersMax: 4)
    _ = state.lease()
    _ = state.lease()
    _ = state.giveBack("idle")
    #expect(state.close().idle == ["idle"])
    _ = state.giveBack("late")
    #expect(state.close().idle.isEmpty)
  }
}

@Suite struct ConnectFailureTests {
  @Test func `The error code is found in libpq's verbose text`() {
    let text = """
      connection to server at "127.0.0.1", port 1 failed: FATAL:  28P01: password authentication failed for user "x"
      LOCATION:  auth_failed, auth.c:338

      """
    #expect(PostgresSession.parseConnectFailure(text) == ("28P01", "password authentication failed for user \"x\""))
    let refused = "connection to server at \"::1\", port 1 failed: Connection refused"
    #expect(PostgresSession.parseConnectFailure(refused) == (nil, refused))
    let hint = "\n\tIs the server running on that host and accepting TCP/IP connections?\n"
    #expect(PostgresSession.parseConnectFailure(refused + hint) == (nil, refused))
  }
}
