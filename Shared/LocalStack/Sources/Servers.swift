/// The servers that everything else stands on, as far as the stack has them.
struct Servers: Sendable {
  let postgres: PostgresServer?
  let redis: RedisServer?
  let redisCluster: RedisClusterServers?
  let mosquitto: MosquittoServer?

  init(_ configuration: LocalStackConfiguration, folder: StackFolder) async throws {
    let certificates = configuration.tls ? try await Certificates(in: folder) : nil
    let wanted = configuration.servers
    postgres =
      wanted.contains(.postgres)
      ? try await PostgresServer(folder: folder, syncsToDisk: configuration.postgresSyncsToDisk, certificates: certificates) : nil
    let (memoryBytesMax, masters) = (configuration.redisMemoryBytesMax, configuration.redisMasters)
    redis =
      wanted.contains(.redis) && masters == 0
      ? try RedisServer(folder: folder, memoryBytesMax: memoryBytesMax, certificates: certificates) : nil
    redisCluster =
      wanted.contains(.redis) && masters > 0
      ? try RedisClusterServers(masters: masters, folder: folder, memoryBytesMax: memoryBytesMax, certificates: certificates) : nil
    mosquitto =
      wanted.contains(.mosquitto)
      ? try await MosquittoServer(
        folder: folder, port: configuration.port(configuration.mqttPort, for: "MQTT"), certificates: certificates) : nil
  }

  var all: [any StackPart] {
    let parts: [(any StackPart)?] = [postgres, redis, mosquitto]
    return parts.compactMap { $0 } + (redisCluster?.nodes ?? [])
  }
}
