"""The table of cells, and the pairing of cells with transcriptomes.

INPUTS: cells.parquet of each field, compartments, barcodes and counts of the sheet; or external tables.
OUTPUTS: <results>/study/cells.parquet, cells.csv, pairs.parquet, paired.h5ad and its export paired.h5mu.
"""

if STUDY.start == "images":

    rule list_fields:
        """List every field of view with its status; stop if too many could not be processed."""
        input:
            cells=of_fields("cells.parquet"),
            pictures=of_fields("quality.json", STUDY.has_masks),
            exports=of_fields("tracks.geff"),
        output:
            **outputs_of("list_fields"),
            report="<results>/reports/list_fields.json",
        log:
            "<logs>/list_fields.log",
        benchmark:
            "<benchmarks>/list_fields.tsv"
        conda:
            "../envs/cineseq.yaml"
        threads: 1
        resources:
            mem_mb=growing(1000),
            runtime=60,
        params:
            settings={
                "fields": STUDY.fields_of_view,
                "may_fail": STUDY.config.run.may_fail,
            },
            _code=code("list_fields.py"),
        script:
            "../scripts/list_fields.py"

    rule collect_cells:
        """Collect the cells of all fields of view in one table."""
        input:
            fields=of_fields("cells.parquet"),
            statuses="<results>/study/fields.tsv",
            compared=if_there(
                STUDY.compares_fields, "<results>/reports/compare_fields.json"
            ),
        output:
            **outputs_of("collect_cells"),
            report="<results>/reports/collect_cells.json",
        log:
            "<logs>/collect_cells.log",
        benchmark:
            "<benchmarks>/collect_cells.tsv"
        conda:
            "../envs/cineseq.yaml"
        threads: 1
        resources:
            mem_mb=growing(2000),
            runtime=60,
        params:
            settings=settings("channels", "cells", "function"),
            _code=code("collect_cells.py"),
        script:
            "../scripts/collect_cells.py"

    rule match_barcodes:
        """Match cells to compartments and barcodes to compartments; unknown stays unknown."""
        input:
            cells="<results>/study/cells.parquet",
            labels=of_fields("masks.ome.tif", STUDY.has_masks),
            compartments=from_sheet_by_sample("compartments"),
            barcodes=from_sheet_by_sample("barcodes"),
            counts=from_sheet_by_sample("counts"),
        output:
            **outputs_of("match_barcodes"),
            report="<results>/reports/match_barcodes.json",
        log:
            "<logs>/match_barcodes.log",
        benchmark:
            "<benchmarks>/match_barcodes.tsv"
        conda:
            "../envs/cineseq.yaml"
        threads: 1
        resources:
            mem_mb=growing(2000),
            runtime=60,
        params:
            settings=settings(
                "inputs",
                "pairing",
                samples=STUDY.count_samples,
                fields=STUDY.fields_of_view,
            ),
            _code=code("match_barcodes.py"),
            _content=content(
                from_sheet_by_sample("compartments"),
                from_sheet_by_sample("barcodes"),
                from_sheet_by_sample("counts"),
            ),
        script:
            "../scripts/match_barcodes.py"

    rule pair:
        """Join the counts and the cells that they come from."""
        input:
            cells="<results>/study/cells.parquet",
            pairs="<results>/study/pairs.parquet",
            counts=from_sheet_by_sample("counts"),
        output:
            **outputs_of("pair"),
            report="<results>/reports/pair.json",
        log:
            "<logs>/pair.log",
        benchmark:
            "<benchmarks>/pair.tsv"
        conda:
            "../envs/cineseq.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=60,
        params:
            settings=settings("pairing", samples=STUDY.count_samples),
            _code=code("pair.py"),
            _content=content(from_sheet_by_sample("counts")),
        script:
            "../scripts/pair.py"


if STUDY.start == "cells":

    rule import_cells:
        """Import external tables of cells and their counts."""
        input:
            external=from_sheet_by_sample("cells"),
            counts=from_sheet_by_sample("counts"),
        output:
            **outputs_of("import_cells"),
            report="<results>/reports/import_cells.json",
        log:
            "<logs>/import_cells.log",
        benchmark:
            "<benchmarks>/import_cells.tsv"
        conda:
            "../envs/cineseq.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=60,
        params:
            settings=settings(
                "external",
                "pairing",
                rows=STUDY.rows_of("cells"),
                samples=STUDY.count_samples,
            ),
            _code=code("import_cells.py"),
            _content=content(
                from_sheet_by_sample("cells"), from_sheet_by_sample("counts")
            ),
        script:
            "../scripts/import_cells.py"


if STUDY.start == "paired":

    rule import_paired:
        """Import external paired data."""
        input:
            external=from_sheet_by_sample("paired"),
        output:
            **outputs_of("import_paired"),
            report="<results>/reports/import_paired.json",
        log:
            "<logs>/import_paired.log",
        benchmark:
            "<benchmarks>/import_paired.tsv"
        conda:
            "../envs/cineseq.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=60,
        params:
            settings=settings("external", "pairing", rows=STUDY.rows_of("paired")),
            _code=code("import_paired.py"),
            _content=content(from_sheet_by_sample("paired")),
        script:
            "../scripts/import_paired.py"


if STUDY.start == "lineage":

    rule import_lineage:
        """Import external lineages with fates, and check them."""
        input:
            external=from_sheet_by_sample("lineage"),
        output:
            **outputs_of("import_lineage"),
            report="<results>/reports/import_lineage.json",
        log:
            "<logs>/import_lineage.log",
        benchmark:
            "<benchmarks>/import_lineage.tsv"
        conda:
            "../envs/cineseq.yaml"
        threads: 1
        resources:
            mem_mb=growing(2000),
            runtime=60,
        params:
            settings=settings("external", rows=STUDY.rows_of("lineage")),
            _code=code("import_lineage.py"),
            _content=content(from_sheet_by_sample("lineage")),
        script:
            "../scripts/import_lineage.py"
