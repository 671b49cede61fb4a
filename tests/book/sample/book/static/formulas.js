// Stands for the script that typesets formulas.
