import Testing

@testable import RedisClient

@Suite("The Redis URL")
struct RedisURLTests {
  @Test func `all its parts are read`() throws {
    let url = try RedisURL("rediss://ingest:p%40ss:%2Fword@redis.example:6390/3")
    #expect(url.isTLS)
    #expect(url.addresses == [RedisAddress(host: "redis.example", port: 6390)])
    #expect(url.user == "ingest")
    #expect(url.password == "p@ss:/word")
    #expect(url.database == 3)
  }

  @Test func `what is left out has its default`() throws {
    let url = try RedisURL("redis://localhost")
    #expect(url.addresses[0].port == 6379 && url.user == nil && url.password == nil && url.database == 0 && !url.isTLS)
    #expect(try RedisURL("redis://:secret@localhost").password == "secret")
    #expect(try RedisURL("redis://[::1]:7000/").addresses[0].host == "::1")
  }

  @Test func `several hosts are nodes of a cluster`() throws {
    let url = try RedisURL("rediss://ingest:a,b@one:7001,two,[::1]:7003,two:6379")
    #expect(url.addresses.map(\.description) == ["one:7001", "two:6379", "[::1]:7003"])
    #expect(url.password == "a,b" && url.isTLS)
    let configuration = try RedisConfiguration(url: "redis://ingest:secret@one:7001,two/0")
    #expect(configuration.isCluster && "\(configuration)" == "redis://ingest@one:7001,two:6379/0")
    #expect(try !RedisConfiguration(url: "redis://:a,b@one").isCluster)
  }

  @Test(arguments: [
    "", "localhost:6379", "http://localhost", "redis://", "redis://:pw@", "redis://host:0", "redis://host:x", "redis://host/x",
    "redis://::1:6379", "redis://[::1]x", "redis://:secret@a,", "redis://:secret@a,,b", "redis://:secret@a,b:x", "redis://:secret@a,b/1",
    "redis://a%4:secret@host", "redis://:secret@host:x", "redis://user@host",
  ])
  func `a malformed one is refused in a sentence that does not repeat it`(_ text: String) throws {
    let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: text) }
    #expect(error?.code == .configuration)
    #expect(error?.message.contains("secret") == false)
  }

  @Test func `a CA file that is not there is named`() throws {
    let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: "rediss://localhost", caFile: "/nowhere/ca.pem") }
    #expect(error?.message.contains("/nowhere/ca.pem") == true)
  }

  @Test func `a description holds no password`() throws {
    let configuration = try RedisConfiguration(url: "redis://ingest:secret@localhost/2")
    #expect("\(configuration)" == "redis://ingest@localhost:6379/2")
    #expect(!String(reflecting: configuration).contains("secret"))
  }
}
