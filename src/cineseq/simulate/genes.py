"""The genes of the simulated experiment: their names, groups and effect sizes."""

from __future__ import annotations

import numpy as np
import pandas as pd


def _names(text: str) -> list[str]:
    return text.split()


S_PHASE = _names("""
MCM5 PCNA TYMS FEN1 MCM2 MCM4 RRM1 UNG GINS2 MCM6 CDCA7 DTL PRIM1 UHRF1 HELLS RFC2 RPA2 NASP RAD51AP1 GMNN
WDR76 SLBP CCNE2 UBR7 POLD3 MSH2 ATAD2 RAD51 RRM2 CDC45 CDC6 EXO1 TIPIN DSCC1 BLM CASP8AP2 USP1 CLSPN POLA1
CHAF1B BRIP1 E2F8
""")
G2M_PHASE = _names("""
HMGB2 CDK1 NUSAP1 UBE2C BIRC5 TPX2 TOP2A NDC80 CKS2 NUF2 CKS1B MKI67 TMPO CENPF TACC3 SMC4 CCNB2 CKAP2L CKAP2
AURKB BUB1 KIF11 ANP32E TUBB4B GTSE1 KIF20B HJURP CDCA3 CDC20 TTK CDC25C KIF2C RANGAP1 NCAPD2 DLGAP5 CDCA2
CDCA8 ECT2 KIF23 HMMR AURKA PSRC1 ANLN LBR CKAP5 CENPE CTCF NEK2 G2E3 GAS2L3 CBX5 CENPA
""")
MODULE = _names("""
PLIN2 CD36 FABP4 FABP5 LPL DGAT1 DGAT2 SCD FASN ACACA ACLY ELOVL6 SREBF1 LPIN1 GPAM AGPAT2 CIDEC CIDEB PLIN3
PLIN4 HILPDA G0S2 ANGPTL4 PPARG CEBPA APOE LDLR HMGCS1 INSIG1 SQLE ABCA1 ACSL1
""")
STATE_A = _names("""
KRT8 KRT18 KRT19 EPCAM CDH1 CLDN4 CLDN7 OCLN TACSTD2 ELF3 ESRP1 GRHL2 MAL2 RAB25 SPINT1 SPINT2 ST14 PRSS8 CD24
MUC1 LAMB3 DSP JUP PKP3 TJP3 AP1M2 CDS1 ERBB3
""")
STATE_B = _names("""
VIM FN1 CDH2 SPARC COL1A1 COL1A2 COL3A1 COL5A1 COL6A1 LUM DCN THY1 TAGLN ACTA2 MYL9 CALD1 TPM2 ZEB1 ZEB2
TWIST1 SNAI2 LOX POSTN FBN1 MMP2 TIMP3 AXL CAV1
""")
STRESS = _names("""
DDIT3 ATF3 ATF4 CDKN1A GDF15 HSPA1A HSPA1B HSPA5 DNAJB1 HSPH1 HMOX1 SQSTM1 TRIB3 CHAC1 ASNS PPP1R15A GADD45A
GADD45B MDM2 FAS BBC3 SESN2 SESN1 TP53I3 PLK2 BTG2 NUPR1 VLDLR JUN FOS
""")
SHAPE_EARLY = _names("""
ACTG1 ACTN1 ACTN4 ARPC2 ARPC5 CFL1 CORO1B DIAPH1 EZR FLNA FLNB ITGA2 ITGA3 ITGB1 ITGB4 KRT7 KRT17 LIMA1 MYH10 MYO1E
PFN1 PTK2 PXN RDX RHOB RND3 TLN1 TPM1 TPM4 TUBA1B TUBB6 VCL
""")
SHAPE_LATE = _names("""
ATP6V0D1 ATP6V1A ATP6V1H CD63 CLCN7 CTSA CTSB CTSD CTSL CTSZ GAA GBA1 GLA GNS GPNMB GRN GUSB HEXA HEXB LAMP1 LAMP2
LGMN LIPA MCOLN1 NAGLU NEU1 NPC1 NPC2 PSAP SCARB2 TPP1 TFEB
""")
SHAPE_JOINT = _names("""
BANF1 BRD2 CHD4 DNMT1 EED EHMT2 EZH2 H1-0 H1-4 H2AX HDAC1 HDAC2 HMGA1 HMGN2 KDM1A LEMD2 LMNA LMNB1 LMNB2 NPM1 NUP62
NUP93 NUP153 RBBP4 RBBP7 SUN1 SUN2 SUV39H1 SYNE1 SYNE2 TPR UHRF2
""")
SHAPE_SIZE = _names("""
BOP1 DKC1 EIF2S1 EIF3B EIF4A1 EIF4E EIF4G1 FBL GNL3 HEATR1 MYBBP1A MYC NCL NOLC1 NOP2 NOP14 NOP56 NOP58 PES1 POLR1A
POLR1B RRP12 UTP20 WDR12
""")
MITOCHONDRIAL = _names("""
MT-ND1 MT-ND2 MT-CO1 MT-CO2 MT-ATP8 MT-ATP6 MT-CO3 MT-ND3 MT-ND4L MT-ND4 MT-ND5 MT-ND6 MT-CYB
""")
_RIBOSOMAL = (*(f"RPS{i}" for i in range(2, 30)), *(f"RPL{i}" for i in range(3, 40)))
_NUMBERED = (
    ("PSMA", 1, 8), ("PSMB", 1, 11), ("PSMC", 1, 7), ("PSMD", 1, 15), ("NDUFA", 1, 14), ("NDUFB", 1, 12),
    ("NDUFS", 1, 9), ("MRPL", 1, 58), ("MRPS", 2, 36), ("TAF", 1, 14), ("MED", 4, 32),
    ("SLC25A", 1, 47), ("EXOC", 1, 9), ("COG", 1, 9), ("COPS", 2, 9), ("LAMTOR", 1, 6), ("SRSF", 1, 13),
    ("VPS", 4, 55), ("SNX", 1, 34), ("TRIM", 2, 70), ("USP", 2, 55), ("TMED", 1, 11),
    ("ARF", 1, 7), ("RAB", 1, 44), ("KLF", 2, 18), ("SOX", 2, 19), ("STAT", 1, 7), ("IRF", 1, 10),
    ("CCT", 2, 9), ("PRDX", 1, 7), ("SEPTIN", 1, 13), ("ZNF", 2, 600),
)  # fmt: skip


def _background() -> list[str]:
    return [*_RIBOSOMAL, *(f"{stem}{i}" for stem, low, high in _NUMBERED for i in range(low, high))]


FOLLOWS_SHAPE = {
    "shape_early": (0.9, 1.3),
    "shape_late": (0.9, 1.3),
    "shape_joint": (0.8, 1.1),
    "shape_size": (0.9, 1.3),
}
"""Groups of genes that follow shape within a field, and their least and largest log fold change per unit of it."""
CONFOUNDED_FRACTION = 0.30
"""Fraction of the genes without a group that vary between fields."""


def gene_table(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the table of genes.

    Parameters
    ----------
    count
        Number of genes.
    rng
        Random generator.

    Returns
    -------
    pandas.DataFrame
        One row per gene: ``gene``, ``group`` (what its expression depends on), ``base`` (log of its mean fraction of
        a cell's counts, up to a constant), and the log fold changes ``module``, ``state_a``, ``state_b``, ``stress``
        (per standard deviation or for membership), ``s_phase``, ``g2m_phase``, ``confounder`` (standard deviation
        over fields), and those per unit of what the groups in :data:`FOLLOWS_SHAPE` follow.
    """
    groups = {
        "function_module": MODULE,
        "state_a": STATE_A,
        "state_b": STATE_B,
        "stress": STRESS,
        "s_phase": S_PHASE,
        "g2m_phase": G2M_PHASE,
        "mitochondrial": MITOCHONDRIAL,
        "shape_early": SHAPE_EARLY,
        "shape_late": SHAPE_LATE,
        "shape_joint": SHAPE_JOINT,
    }
    named = [(gene, group) for group, genes in groups.items() for gene in genes]
    last = [(gene, "shape_size") for gene in SHAPE_SIZE]
    taken = {gene for gene, _ in (*named, *last)}
    rest = [gene for gene in _background() if gene not in taken][: count - len(named) - len(last)]
    genes = pd.DataFrame([*named, *((gene, "none") for gene in rest), *last], columns=["gene", "group"])
    return _loaded(genes, rng)


def _loaded(genes: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    n, group = len(genes), genes["group"]
    base = rng.normal(0.0, 1.1, n)
    # marker and module genes are detected in most cells, like those reported in real experiments
    level = {"function_module": 0.9, "state_a": 0.5, "state_b": 0.5, "stress": 0.4, "s_phase": -0.1, "g2m_phase": 0.0}
    level |= {"shape_early": 0.7, "shape_late": 0.7, "shape_joint": 0.7, "shape_size": 0.7}
    for name, centre in level.items():
        base = np.where(group == name, centre + 0.5 * rng.standard_normal(n), base)
    base = np.where(genes["gene"].isin(_RIBOSOMAL), 1.6 + 0.5 * rng.standard_normal(n), base)
    base = np.where(group == "mitochondrial", 1.5 + 0.4 * rng.standard_normal(n), base)
    genes = genes.assign(base=base)
    sizes = {"function_module": (0.60, 0.90), "state_a": (0.8, 1.5), "state_b": (0.8, 1.5), "stress": (0.9, 1.6)}
    sizes |= {"s_phase": (1.0, 1.8), "g2m_phase": (1.0, 1.8)}
    for name, (low, high) in sizes.items():
        column = name.removeprefix("function_")
        genes[column] = np.where(group == name, rng.uniform(low, high, n), 0.0)
    shifted = (group == "none") & (rng.random(n) < CONFOUNDED_FRACTION)
    genes["confounder"] = np.where(shifted, rng.uniform(0.2, 0.6, n), 0.0)
    for name, (low, high) in FOLLOWS_SHAPE.items():
        genes[name] = np.where(group == name, rng.uniform(low, high, n), 0.0)
    return genes
