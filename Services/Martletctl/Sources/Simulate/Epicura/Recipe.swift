/// What a simulated cooker cooks.
struct Recipe: Sendable, Equatable {
  struct Stage: Sendable, Equatable {
    let name: String
    let estimatedSeconds: Int
    /// In degrees Celsius.
    let targetTemperature: Double
    /// "continuous", "intermittent" or "none".
    let stirPattern: String
    /// What the camera sees as the stage goes on, from its first to its last class. A stage without ends by its timer.
    let classes: [String]
  }

  let id: String
  let name: String
  let stages: [Stage]

  var estimatedSeconds: Int { stages.reduce(0) { $0 + $1.estimatedSeconds } }

  /// The recipe of that id. One that this cooker does not know is cooked like the first that it does.
  static func cooked(as id: String) -> Recipe {
    all.first { $0.id == id } ?? Recipe(id: id, name: all[0].name, stages: all[0].stages)
  }

  static let all = [
    Recipe(
      id: "recipe-dal-tadka", name: "Dal Tadka",
      stages: [
        Stage(name: "Heat Oil", estimatedSeconds: 120, targetTemperature: 160, stirPattern: "none", classes: ["cold", "shimmering"]),
        Stage(
          name: "Temper Cumin", estimatedSeconds: 60, targetTemperature: 170, stirPattern: "intermittent", classes: ["raw", "crackling"]),
        Stage(
          name: "Saute Onions", estimatedSeconds: 300, targetTemperature: 150, stirPattern: "continuous",
          classes: ["raw", "translucent", "golden_brown"]),
        Stage(name: "Add Spices", estimatedSeconds: 60, targetTemperature: 140, stirPattern: "continuous", classes: ["raw", "fragrant"]),
        Stage(
          name: "Cook Lentils", estimatedSeconds: 1200, targetTemperature: 98, stirPattern: "intermittent",
          classes: ["firm", "soft", "creamy"]),
        Stage(name: "Simmer", estimatedSeconds: 360, targetTemperature: 92, stirPattern: "intermittent", classes: []),
      ]),
    Recipe(
      id: "recipe-vegetable-pulao", name: "Vegetable Pulao",
      stages: [
        Stage(name: "Heat Ghee", estimatedSeconds: 90, targetTemperature: 155, stirPattern: "none", classes: ["solid", "melted"]),
        Stage(
          name: "Fry Vegetables", estimatedSeconds: 240, targetTemperature: 165, stirPattern: "continuous",
          classes: ["raw", "softened", "browned"]),
        Stage(
          name: "Toast Rice", estimatedSeconds: 120, targetTemperature: 150, stirPattern: "continuous", classes: ["raw", "translucent"]),
        Stage(
          name: "Absorb Water", estimatedSeconds: 780, targetTemperature: 99, stirPattern: "none", classes: ["submerged", "surface_dry"]),
        Stage(name: "Rest", estimatedSeconds: 300, targetTemperature: 70, stirPattern: "none", classes: []),
      ]),
    Recipe(
      id: "recipe-tomato-soup", name: "Tomato Soup",
      stages: [
        Stage(
          name: "Saute Garlic", estimatedSeconds: 120, targetTemperature: 140, stirPattern: "continuous", classes: ["raw", "golden_brown"]),
        Stage(
          name: "Cook Tomatoes", estimatedSeconds: 600, targetTemperature: 105, stirPattern: "intermittent",
          classes: ["whole", "broken_down"]),
        Stage(name: "Simmer", estimatedSeconds: 480, targetTemperature: 95, stirPattern: "intermittent", classes: []),
      ]),
  ]
}
