import Testing

@testable import RedisClient

@Suite("The Redis URL")
struct RedisURLTests {
  @Test func `all its parts are read`() throws {
    let url = try RedisURL("rediss://ingest:p%40ss:%2Fword@redis.example:6390/3")
    #expect(url.isTLS)
    #expect(url.host == "redis.example")
    #expect(url.port == 6390)
    #expect(url.user == "ingest")
    #expect(url.password == "p@ss:/word")
    #expect(url.database == 3)
  }

  @Test func `what is left out has its default`() throws {
    let url = try RedisURL("redis://localhost")
    #expect(url.port == 6379 && url.user == nil && url.password == nil && url.database == 0 && !url.isTLS)
    #expect(try RedisURL("redis://:secret@localhost").password == "secret")
    #expect(try RedisURL("redis://[::1]:7000/").host == "::1")
  }

  @Test(arguments: [
    "", "localhost:6379", "http://localhost", "redis://", "redis://:pw@", "redis://host:0", "redis://host:x", "redis://host/x",
    "redis://::1:6379", "redis://[::1]x", "redis://a%4:secret@host", "redis://:secret@host:x", "redis://user@host",
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
