import Foundation

/// What a local stack holds and where.
package struct LocalStackConfiguration: Sendable {
  /// The folder for data, logs and secrets, kept afterwards; nil makes a temporary one that is removed at the end.
  package var folder: String?
  package var servers: Set<StackServer>
  /// Started in this order once the servers are ready and the database is migrated. They need `postgres`, `redis` and `mosquitto`.
  package var services: [MartletService.Plan] = []
  /// Gives PostgreSQL, Redis and Mosquitto TLS listeners besides the plain ones, with throwaway certificates.
  package var tls = false
  package var redisMemoryBytesMax = 256 << 20
  /// A Redis Cluster of so many masters, each with a replica, in place of one Redis; 0 for one. With TLS it speaks nothing else.
  package var redisMasters = 0
  /// Whether PostgreSQL waits for the disk. Without it a crash of the machine can cost data, a kill of the server cannot: right for tests.
  package var postgresSyncsToDisk = true
  /// The ports that apps and devices are to find; a taken one is replaced and told. nil takes any free port.
  package var httpPort: Int?
  package var mqttPort: Int?
  /// Settings for every service.
  package var environment: [String: String] = [:]
  /// The folder of the built programs; by default that of the running one.
  package var executables = Self.folderOfThisProgram
  /// How long a part may take to become ready.
  package var readinessLimit: Duration = .seconds(60)
  /// Told what happens, one line each.
  package var progress: @Sendable (String) -> Void = { _ in }

  /// A stack in a folder that is kept syncs to disk, a temporary one does not.
  package init(_ servers: Set<StackServer>, folder: String? = nil) {
    self.servers = servers
    self.folder = folder
    postgresSyncsToDisk = folder != nil
  }

  /// All servers, `persister`, `api`, so many gateways and signaling brokers behind nginx, and so many replicas of the rules and of `ingest`.
  package static func whole(
    gateways: Int = 2, signaling: Int = 0, rules: Int = 0, ingest: Int = 1, folder: String? = nil
  ) -> LocalStackConfiguration {
    var configuration = LocalStackConfiguration(Set(StackServer.allCases), folder: folder)
    configuration.services =
      [MartletService.Plan("persister")] + MartletService.Plan.replicas(ingest, of: "ingest") + [MartletService.Plan("api")]
      + MartletService.Plan.replicas(gateways, of: "gateway") + MartletService.Plan.replicas(signaling, of: "signaling")
      + MartletService.Plan.replicas(rules, of: "rules")
    return configuration
  }

  /// The wanted port, or a free one when it is taken or none is wanted.
  func port(_ wanted: Int?, for purpose: String) throws(LocalStackError) -> Int {
    guard let wanted else { return try Ports.free() }
    if Ports.isFree(wanted) { return wanted }
    let replacement = try Ports.free()
    progress("port \(wanted) for \(purpose) is taken; \(replacement) is used instead")
    return replacement
  }

  /// Test bundles and programs lie side by side in the build folder.
  private static let folderOfThisProgram: String = {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
    return (program as NSString).deletingLastPathComponent
  }()
}
