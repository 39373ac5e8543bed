// swift-tools-version: 6.2
import PackageDescription

// Layers, from the bottom: C modules, values (Models), clients of one C library or protocol each, ports (EventLog, Store, Access), services,
// executables. `Tests/HouseRulesTests` refuses an import that points upwards.

let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
]
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")

/// A library that several services share, and its tests.
func shared(_ name: String, path: String? = nil, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: path ?? "Shared/\(name)")
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(name: "\(name)Tests", dependencies: [.init(stringLiteral: name)] + dependencies, path: "Tests/\(name)Tests")
}

let package = Package(
  name: "martlet",
  products: [
    .executable(name: "localstack", targets: ["LocalStackMain"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    .systemLibrary(name: "CHiredis", path: "Shared/CHiredis"),
    .systemLibrary(name: "CLibpq", path: "Shared/CLibpq", pkgConfig: "libpq"),
    .systemLibrary(name: "CMosquitto", path: "Shared/CMosquitto"),
    .systemLibrary(name: "COpenSSL", path: "Shared/COpenSSL"),
    shared("Digests", ["COpenSSL"]),
    tests(of: "Digests"),
    shared("Backoff"),
    tests(of: "Backoff"),
    shared("Models"),
    tests(of: "Models"),
    shared("Access", ["Models", .product(name: "JWTKit", package: "jwt-kit")]),
    tests(of: "Access", ["Models", .product(name: "JWTKit", package: "jwt-kit")]),
    shared("RedisClient", nio + ["Backoff", "CHiredis", .product(name: "NIOSSL", package: "swift-nio-ssl"), lifecycle, logging]),
    tests(of: "RedisClient", nio + ["LocalStack", .product(name: "NIOEmbedded", package: "swift-nio"), lifecycle, logging]),
    shared("PostgresClient", ["Backoff", "CLibpq", lifecycle, logging]),
    tests(of: "PostgresClient", ["LocalStack", lifecycle, logging]),
    shared("EventLog", ["Models", "RedisClient", .product(name: "NIOCore", package: "swift-nio"), lifecycle, logging]),
    tests(of: "EventLog", nio + ["Models", "RedisClient", "LocalStack", lifecycle, logging]),
    shared("MQTTClient", ["Backoff", "CMosquitto", lifecycle, logging]),
    tests(of: "MQTTClient", ["LocalStack", lifecycle, logging, subprocess]),
    shared("WebSocketTransport", nio + ["Digests", lifecycle, logging]),
    tests(of: "WebSocketTransport", nio + [lifecycle, logging]),
    shared(
      "ServiceRuntime",
      nio + [
        .product(name: "Hummingbird", package: "hummingbird"), .product(name: "Configuration", package: "swift-configuration"), lifecycle,
        signals,
        logging, metrics,
      ]),
    .executableTarget(
      name: "ServiceRuntimeProbe", dependencies: ["ServiceRuntime", lifecycle, logging, metrics], path: "Tests/ServiceRuntimeProbe"),
    tests(of: "ServiceRuntime", ["ServiceRuntimeProbe", .product(name: "NIOCore", package: "swift-nio"), logging, metrics, subprocess]),
    shared("LocalStack", path: "Shared/LocalStack/Sources", [subprocess, signals]),
    .executableTarget(name: "LocalStackMain", dependencies: ["LocalStack", arguments], path: "Shared/LocalStack/Main"),
    tests(of: "LocalStack", ["LocalStackMain", subprocess]),
    .testTarget(name: "HouseRulesTests", path: "Tests/HouseRulesTests"),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
  target.swiftSettings = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
}
