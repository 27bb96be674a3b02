// Starts all that scripts add to the pages. Each page works without any of it.

import { start as startCharts } from "./chart.js";
import { start as startChoices } from "./choice.js";
import { start as startFilters } from "./filters.js";
import { start as startMenus } from "./menu.js";
import { start as startOnce } from "./once.js";
import { start as startSelection } from "./selection.js";
import { start as startThemeToggle } from "./theme-toggle.js";
import { start as startTips } from "./tip.js";

startThemeToggle();
startMenus();
startTips();
startChoices();
startFilters();
startSelection();
startOnce();
startCharts();
